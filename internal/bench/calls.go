package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// call is what work may do as often as it likes: it must cost next to nothing.
type call struct {
	name string
	ok   func() bool
}

func calls(ctx context.Context, term *singleton.Term) []call {
	return []call{
		{"Term.Valid()", term.Valid},
		{"Term.Token()", func() bool { return !term.Token().IsZero() }},
		{"fencing.FromContext(ctx)", func() bool { _, ok := fencing.FromContext(ctx); return ok }},
	}
}

// whileActive calls f in the work of a live elector, which goes on renewing.
func whileActive(t *testing.T, f func(calls []call)) {
	t.Helper()
	c := singletontest.New(singletontest.Options{})
	defer c.Close()
	createLease(t, c, scenario.Lease)
	e, err := singleton.New(c.Client("a"), singleton.Config{
		Namespace: scenario.Namespace, Name: scenario.Lease, Identity: "a", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context(), func(ctx context.Context, term *singleton.Term) error {
		f(calls(ctx, term))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (c call) loop(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !c.ok() {
			b.Fatal(c.name + " is false")
		}
	}
}

func callTable(t *testing.T, out io.Writer) {
	t.Helper()
	fmt.Fprint(out, "\n## Calls, with a live elector renewing beside them\n\n")
	fmt.Fprintln(out, "| call | ns/op | allocs/op |")
	fmt.Fprintln(out, "|---|---|---|")
	whileActive(t, func(calls []call) {
		for _, c := range calls {
			r := testing.Benchmark(c.loop)
			if r.N == 0 {
				t.Errorf("%s failed", c.name)
				continue
			}
			fmt.Fprintf(out, "| %s | %.1f | %d |\n", c.name, float64(r.T.Nanoseconds())/float64(r.N), r.AllocsPerOp())
		}
	})
}
