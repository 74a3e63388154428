package main

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// load is what an API server is asked per second.
type load struct{ writes, reads, watches float64 }

func (l load) all() float64 { return l.writes + l.reads + l.watches }

// steady measures n replicas with nothing happening, in virtual time and so
// exactly: a minute to settle, then the window. It should be much longer than
// the 5 to 10 minutes a watch lasts.
func steady(t *testing.T, e elector, n int, window time.Duration) load {
	t.Helper()
	var l load
	synctest.Test(t, func(t *testing.T) {
		s := scenario.New(scenario.Options{}, e.play(false))
		defer s.Close()
		for i := range n {
			s.StartNamed(fmt.Sprintf("n%d", i))
		}
		time.Sleep(time.Minute)
		s.ForgetRequests()
		time.Sleep(window)
		synctest.Wait()
		rate := func(verbs ...string) float64 {
			return float64(s.CountRequests("", verbs...)) / window.Seconds()
		}
		l = load{writes: rate("create", "update", "patch", "delete"), reads: rate("get", "list"), watches: rate("watch")}
		if len(s.Terms()) != 1 {
			t.Fatalf("%s: %d terms in a quiet cluster", e.name, len(s.Terms()))
		}
	})
	return l
}

func trafficTable(t *testing.T, out io.Writer) {
	t.Helper()
	const window = 30 * time.Minute
	fmt.Fprintf(out, "\n## Requests per second at the API server, steady state: 15/10/2 s, %s of virtual time\n\n", window)
	fmt.Fprintln(out, "| replicas | client-go | hotseat | hotseat: writes + lists + watches opened | ratio |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, n := range []int{1, 3, 20, 100} {
		theirs, our := steady(t, peer(), n, window), steady(t, ours(), n, window)
		fmt.Fprintf(out, "| %d | %.2f | %.2f | %.2f + %.2f + %.2f | %s |\n",
			n, theirs.all(), our.all(), our.writes, our.reads, our.watches, ratio(theirs.all(), our.all()))
	}
}
