package fencing_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/hotseat-go/hotseat/fencing"
)

// column is a guard of your own, whose mark is text in a store. Here the store is a map, and the
// mutex is its transaction. Check and effect are one step, so no older work is ever in flight.
type column struct {
	scope string

	mu    sync.Mutex
	store map[string]string
}

func (c *column) Announce(ctx context.Context, t fencing.Token) error {
	return c.admit(ctx, t, func() {})
}

func (c *column) Mark(_ context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, c.scope); err != nil {
		return fencing.Token{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark()
}

// Write has an effect, if t is admitted.
func (c *column) Write(ctx context.Context, t fencing.Token, effect func()) error {
	if fencing.Unfenced(ctx, t) {
		effect()
		return nil
	}
	return c.admit(ctx, t, effect)
}

func (c *column) admit(ctx context.Context, t fencing.Token, effect func()) error {
	if err := fencing.OwnToken(t, c.scope); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mark, err := c.mark()
	if err != nil {
		return err
	}
	raises, err := fencing.Judge(t, mark)
	if err != nil {
		return fencing.Report(ctx, err)
	}
	if raises {
		c.store["mark"] = t.String()
	}
	effect()
	return nil
}

// mark reads the store. If that can fail, pass the error through FailClosed.
func (c *column) mark() (fencing.Token, error) {
	text, ok := c.store["mark"]
	if !ok {
		return fencing.Token{}, nil
	}
	return fencing.ParseMark(text, c.scope)
}

// A guard of your own uses the judgements of this package, in the order that [fencing.Guard]
// describes. It adds the part of its store: one atomic step.
func ExampleJudge() {
	guard := &column{scope: fencing.Scope("shop", "invoicer"), store: map[string]string{}}
	var _ fencing.Guard = guard
	ctx := context.Background()
	first := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"}
	second := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}

	say := func(what string, err error) { fmt.Printf("%s: %q\n", what, fencing.KindOf(err)) }
	say("first", guard.Write(ctx, first, func() {}))
	say("second", guard.Announce(ctx, second))
	say("first, once more", guard.Write(ctx, first, func() {}))
	say("nobody", guard.Write(ctx, fencing.Token{}, func() {}))
	say("an operator", guard.Write(fencing.AllowUnfenced(ctx, "repair"), fencing.Token{}, func() {}))

	guard.store["mark"] = "edited by hand"
	say("a damaged mark", guard.Write(ctx, second, func() {}))
	// Output:
	// first: ""
	// second: ""
	// first, once more: "stale"
	// nobody: "missing"
	// an operator: ""
	// a damaged mark: "unavailable"
}

// An error of the store says nothing about the token, whatever the error is.
func ExampleFailClosed() {
	fmt.Println(fencing.FailClosed(context.DeadlineExceeded))
	// Output:
	// fencing: guard unavailable: context deadline exceeded
}
