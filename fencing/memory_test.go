package fencing_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

func newMemory(t testing.TB, drain time.Duration) *fencing.Memory {
	t.Helper()
	m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: drain})
	require.NoError(t, err)
	return m
}

// rival is the token of another term with the same epoch.
func rival(epoch int64) fencing.Token {
	tok := token(epoch)
	tok.Term = termB
	return tok
}

// doors are the three ways to present a token; each must decide alike.
var doors = map[string]func(context.Context, *fencing.Memory, fencing.Token) error{
	"Announce": func(ctx context.Context, m *fencing.Memory, t fencing.Token) error { return m.Announce(ctx, t) },
	"Check":    func(ctx context.Context, m *fencing.Memory, t fencing.Token) error { return m.Check(ctx, t) },
	"Enter": func(ctx context.Context, m *fencing.Memory, t fencing.Token) error {
		_, leave, err := m.Enter(ctx, t)
		if err == nil {
			leave()
		}
		return err
	},
}

func TestMemoryDecides(t *testing.T) {
	type step struct {
		present fencing.Token
		want    error         // nil = admitted
		mark    fencing.Token // afterwards
	}
	elsewhere := fencing.Token{Scope: "shop/mailer", Epoch: 1, Term: termB}
	tests := map[string][]step{
		"first token of a scope": {{token(7), nil, token(7)}},
		"current token again":    {{token(7), nil, token(7)}, {token(7), nil, token(7)}},
		"newer raises":           {{token(7), nil, token(7)}, {token(8), nil, token(8)}, {token(math.MaxInt64), nil, token(math.MaxInt64)}},
		"newer of another term":  {{token(7), nil, token(7)}, {rival(8), nil, rival(8)}},
		"older is stale":         {{token(7), nil, token(7)}, {token(6), fencing.ErrStale, token(7)}, {token(1), fencing.ErrStale, token(7)}},
		"older term stays stale": {{token(7), nil, token(7)}, {rival(8), nil, rival(8)}, {token(7), fencing.ErrStale, rival(8)}},
		"conflict":               {{token(7), nil, token(7)}, {rival(7), fencing.ErrConflict, token(7)}, {token(7), nil, token(7)}},
		"conflict, other order":  {{rival(7), nil, rival(7)}, {token(7), fencing.ErrConflict, rival(7)}, {rival(7), nil, rival(7)}},
		"scopes are independent": {{token(7), nil, token(7)}, {elsewhere, nil, elsewhere}, {token(7), nil, token(7)}},
		"no token":               {{token(7), nil, token(7)}, {fencing.Token{}, fencing.ErrMissing, fencing.Token{}}},
		"malformed": {
			{token(0), fencing.ErrMalformed, fencing.Token{}},
			{fencing.Token{Scope: "shop/invoicer", Epoch: math.MaxInt64}, fencing.ErrMalformed, fencing.Token{}},
		},
	}
	for name, steps := range tests {
		for door, present := range doors {
			t.Run(name+"/"+door, func(t *testing.T) {
				m := newMemory(t, 0)
				for _, s := range steps {
					err := present(t.Context(), m, s.present)
					require.ErrorIs(t, err, s.want, "%v", s.present)
					if s.present.IsZero() {
						continue
					}
					mark, err := m.Mark(t.Context(), s.present.Scope)
					require.NoError(t, err)
					require.Equal(t, s.mark, mark)
				}
			})
		}
	}
}

func TestMemoryErrorsNameBothTokens(t *testing.T) {
	m := newMemory(t, 0)
	require.NoError(t, m.Announce(t.Context(), token(7)))

	var stale *fencing.StaleError
	require.ErrorAs(t, m.Check(t.Context(), token(6)), &stale)
	require.Equal(t, fencing.StaleError{Presented: token(6), Mark: token(7)}, *stale)

	var conflict *fencing.ConflictError
	require.ErrorAs(t, m.Check(t.Context(), rival(7)), &conflict)
	require.Equal(t, fencing.ConflictError{Presented: rival(7), Mark: token(7)}, *conflict)
}

func TestMemoryEnterRefusedReturnsNothing(t *testing.T) {
	m := newMemory(t, 0)
	require.NoError(t, m.Announce(t.Context(), token(7)))
	for _, tok := range []fencing.Token{token(6), rival(7), {}} {
		ctx, leave, err := m.Enter(t.Context(), tok)
		require.Error(t, err)
		require.Nil(t, ctx)
		require.Nil(t, leave)
	}
}

func TestMemoryMark(t *testing.T) {
	m := newMemory(t, 0)
	mark, err := m.Mark(t.Context(), "never/seen")
	require.NoError(t, err)
	require.Zero(t, mark)

	for _, scope := range []string{"", "two words", "a@b"} {
		_, err = m.Mark(t.Context(), scope)
		require.ErrorIs(t, err, fencing.ErrMalformed)
		require.ErrorContains(t, err, "Scope")
	}
}

func TestNewMemoryRefusesNegativeDrain(t *testing.T) {
	m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: -time.Second})
	require.ErrorContains(t, err, "MemoryConfig.Drain is -1s")
	require.Nil(t, m)
}

func TestMemoryCheckOfCurrentDoesNotAllocate(t *testing.T) {
	m := newMemory(t, 0)
	ctx := t.Context()
	_, leave, err := m.Enter(ctx, token(7))
	require.NoError(t, err)
	defer leave()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := m.Check(ctx, token(7)); err != nil {
			t.Error(err)
		}
	}))
}
