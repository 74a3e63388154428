package fencingtest_test

import (
	"context"
	"sync"
	"testing"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingtest"
)

// table is a store: a mark and a value, and a transaction over both.
type table struct {
	sync.Mutex
	mark, value string
}

// guard is one of your own, over a table.
type guard struct {
	scope string
	table *table
}

func (g *guard) Announce(_ context.Context, t fencing.Token) error {
	g.table.Lock()
	defer g.table.Unlock()
	return g.admit(t)
}

func (g *guard) Mark(_ context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, g.scope); err != nil {
		return fencing.Token{}, err
	}
	g.table.Lock()
	defer g.table.Unlock()
	return g.mark()
}

// Set writes the value, in one transaction with the check.
func (g *guard) Set(ctx context.Context, t fencing.Token, value string) error {
	g.table.Lock()
	defer g.table.Unlock()
	if !fencing.Unfenced(ctx, t) {
		if err := g.admit(t); err != nil {
			return err
		}
	}
	g.table.value = value
	return nil
}

func (g *guard) admit(t fencing.Token) error {
	if err := fencing.OwnToken(t, g.scope); err != nil {
		return err
	}
	mark, err := g.mark()
	if err != nil {
		return err
	}
	raises, err := fencing.Judge(t, mark)
	if raises {
		g.table.mark = t.String()
	}
	return err
}

func (g *guard) mark() (fencing.Token, error) {
	if g.table.mark == "" {
		return fencing.Token{}, nil
	}
	return fencing.ParseMark(g.table.mark, g.scope)
}

// suite says how to reach the guard, and the table behind it.
func suite() fencingtest.Suite {
	return fencingtest.Suite{
		Open: func(testing.TB) fencing.Guard { return &guard{fencingtest.Scope, &table{}} },
		Reopen: func(_ testing.TB, g fencing.Guard) fencing.Guard {
			return &guard{fencingtest.Scope, g.(*guard).table}
		},
		Write: func(
			ctx context.Context, g fencing.Guard, t fencing.Token, value string, between func(),
		) error {
			between() // check and effect are one step: a write can only wait before it
			return g.(*guard).Set(ctx, t, value)
		},
		Read: func(_ context.Context, g fencing.Guard) (string, error) {
			table := g.(*guard).table
			table.Lock()
			defer table.Unlock()
			return table.value, nil
		},
		Damage: func(_ testing.TB, g fencing.Guard, text string) {
			g.(*guard).table.mark = fencingtest.Scope + "@" + text + "." + fencingtest.Token(5, 0).Term
		},
	}
}

// A guard of your own passes the suite. The suite's functions reach the table behind the guard.
func Example() {
	var t *testing.T // of TestGuard(t *testing.T)
	_ = func() {
		fencingtest.Run(t, suite())
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	fencingtest.Run(t, suite())
}
