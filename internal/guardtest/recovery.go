package guardtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// Recovery plays a guard's row of internal/docs/guards.md: how its mark gets
// lost or poisoned, what users see, and that what the row says to do mends it.
type Recovery struct {
	// Guard returns the guard as a process has it that begins now.
	Guard func(t testing.TB) fencing.Guard

	// Lose takes the mark away, as it happens by itself or by mistake.
	Lose func(t testing.TB)

	// Damage leaves something that is no mark. Nil: nothing can.
	Damage func(t testing.TB)

	// Repair is what to do by hand, while no process uses the guard.
	Repair func(t testing.TB)
}

// Run plays the row on one resource, from a mark that is lost to one that is damaged.
func (r Recovery) Run(t *testing.T) {
	ctx := t.Context()
	top := func(epoch int64) fencing.Token { return Token(epoch, 0) }
	stale := func(g fencing.Guard, token fencing.Token) {
		t.Helper()
		for _, err := range ask(ctx, g, token) {
			require.ErrorIs(t, err, fencing.ErrStale)
		}
	}
	current := func(g fencing.Guard, token fencing.Token) {
		t.Helper()
		require.NoError(t, errors.Join(ask(ctx, g, token)...))
		mark, err := g.Mark(ctx, Scope)
		require.NoError(t, err)
		require.Equal(t, token, mark)
		stale(g, top(token.Epoch-1))
	}

	// Lost: nobody sees it but by the mark, an older token passes, and the next
	// announcement of the present term ends that.
	current(r.Guard(t), top(5))
	r.Lose(t)
	g := r.Guard(t)
	mark, err := g.Mark(ctx, Scope)
	require.NoError(t, err)
	require.Zero(t, mark)
	require.NoError(t, errors.Join(ask(ctx, g, top(4))...))
	current(g, top(5))

	// Too high: all are stale, and the refusal has the mark. A term above it is one way out.
	const far = 1 << 40
	require.NoError(t, g.Announce(ctx, top(far)))
	var refused *fencing.StaleError
	require.ErrorAs(t, g.Announce(ctx, top(6)), &refused)
	require.Equal(t, top(far), refused.Mark)
	current(g, top(far+1))

	// So high that nothing is above it: the mark has to go.
	require.NoError(t, g.Announce(ctx, top(math.MaxInt64)))
	stale(g, top(far+2))
	require.ErrorIs(t, g.Announce(ctx, Token(math.MaxInt64, 1)), fencing.ErrConflict)
	r.Repair(t)
	current(r.Guard(t), top(7))

	// Damaged: nothing is admitted, and nothing written over it.
	if r.Damage == nil {
		return
	}
	r.Damage(t)
	for _, g := range []fencing.Guard{r.Guard(t), r.Guard(t)} {
		_, err := g.Mark(ctx, Scope)
		asked := slices.Concat([]error{err}, ask(ctx, g, top(7)), ask(ctx, g, top(8)), ask(ctx, g, top(math.MaxInt64)))
		for _, err := range asked {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
		}
	}
	r.Repair(t)
	current(r.Guard(t), top(8))
}

// ask presents a token at every door that the guard has.
func ask(ctx context.Context, g fencing.Guard, token fencing.Token) (answers []error) {
	if checker, ok := g.(fencing.Checker); ok {
		answers = append(answers, checker.Check(ctx, token))
	}
	return append(answers, g.Announce(ctx, token))
}
