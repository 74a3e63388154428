package fencing_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

type liveTerm struct{ now fencing.Token }

func (l *liveTerm) Token() fencing.Token { return l.now }

func TestContextCarriesToken(t *testing.T) {
	_, ok := fencing.FromContext(t.Context())
	require.False(t, ok)

	ctx := fencing.NewContext(t.Context(), token(3))
	child, cancel := context.WithCancel(ctx)
	cancel()
	got, ok := fencing.FromContext(child)
	require.True(t, ok, "a token outlives its context: the guard decides, not the sender")
	require.Equal(t, token(3), got)

	got, ok = fencing.FromContext(fencing.NewContext(ctx, token(4)))
	require.True(t, ok)
	require.Equal(t, token(4), got, "the innermost token wins")
}

func TestContextHidesToken(t *testing.T) {
	outer := fencing.NewContext(t.Context(), token(3))
	for name, ctx := range map[string]context.Context{
		"zero token":   fencing.NewContext(outer, fencing.Token{}),
		"nil source":   fencing.NewSourceContext(outer, nil),
		"empty source": fencing.NewSourceContext(outer, &liveTerm{}),
	} {
		got, ok := fencing.FromContext(ctx)
		require.False(t, ok, name)
		require.Zero(t, got, name)
	}
}

func TestContextSeesRaisedToken(t *testing.T) {
	term := &liveTerm{now: token(3)}
	ctx := fencing.NewSourceContext(t.Context(), term)
	term.now = token(1000)
	got, ok := fencing.FromContext(ctx)
	require.True(t, ok)
	require.Equal(t, token(1000), got)
}

func TestFromContextDoesNotAllocate(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"fixed":  fencing.NewContext(t.Context(), token(3)),
		"source": fencing.NewSourceContext(t.Context(), &liveTerm{now: token(3)}),
		"none":   t.Context(),
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = fencing.FromContext(ctx) }), name)
	}
}
