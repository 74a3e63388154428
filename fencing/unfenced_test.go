package fencing_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

func TestUnfencedReason(t *testing.T) {
	_, ok := fencing.UnfencedReason(t.Context())
	require.False(t, ok)

	ctx := fencing.AllowUnfenced(t.Context(), "repair of invoice 7")
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	reason, ok := fencing.UnfencedReason(child)
	require.True(t, ok)
	require.Equal(t, "repair of invoice 7", reason)

	_, ok = fencing.UnfencedReason(fencing.AllowUnfenced(t.Context(), ""))
	require.False(t, ok, "without a reason nothing is allowed")
	_, ok = fencing.UnfencedReason(fencing.AllowUnfenced(ctx, ""))
	require.False(t, ok, "and it is taken back")
}

// A permission stands in for a missing token, and for nothing else.
func TestUnfencedWrites(t *testing.T) {
	for name, g := range trackers(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, g.Announce(t.Context(), token(7)))
			allowed := fencing.AllowUnfenced(t.Context(), "test")

			require.NoError(t, g.Check(allowed, fencing.Token{}))
			work, leave, err := g.Enter(allowed, fencing.Token{})
			require.NoError(t, err)
			require.NoError(t, work.Err())
			require.NoError(t, g.Announce(t.Context(), token(8)), "no term waits for it")
			require.NoError(t, work.Err(), "nor ends it")
			leave()
			leave()
			require.ErrorIs(t, work.Err(), context.Canceled)

			require.ErrorIs(t, g.Announce(allowed, fencing.Token{}), fencing.ErrMissing, "nothing can be announced without a token")
			require.ErrorIs(t, g.Check(t.Context(), fencing.Token{}), fencing.ErrMissing)
			_, _, err = g.Enter(fencing.AllowUnfenced(allowed, ""), fencing.Token{})
			require.ErrorIs(t, err, fencing.ErrMissing)
			for bad, why := range map[fencing.Token]error{
				token(7):                       fencing.ErrStale,
				rival(8):                       fencing.ErrConflict,
				{Scope: "shop/invoicer"}:       fencing.ErrMalformed,
				{Scope: "a b", Term: termA}:    fencing.ErrMalformed,
				{Epoch: 9, Scope: "shop/mail"}: fencing.ErrMalformed,
			} {
				require.ErrorIs(t, g.Check(allowed, bad), why)
				_, _, err = g.Enter(allowed, bad)
				require.ErrorIs(t, err, why)
			}
			mark, err := g.Mark(t.Context(), "shop/invoicer")
			require.NoError(t, err)
			require.Equal(t, token(8), mark)
		})
	}
}

// trackers are the guards of this package.
func trackers(t *testing.T) map[string]fencing.Tracker {
	return map[string]fencing.Tracker{"memory": newMemory(t, 0), "durable": newDurable(t, newShelf())}
}
