package redisfence_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
)

const scope = "shop/invoicer"

func token(epoch int64) fencing.Token {
	return fencing.Token{Scope: scope, Epoch: epoch, Term: "0123456789abcdef0123456789abcdef"}
}

// says is a server that always says the same.
type says struct {
	answer any
	err    error
}

func (s says) Eval(context.Context, string, []string, []string) (any, error) { return s.answer, s.err }

func TestNewRefuses(t *testing.T) {
	for _, key := range []string{"", "mark", "{", "{}", "{}x{y}", "}{", "{x"} {
		_, err := redisfence.New(says{}, redisfence.Config{Scope: scope, Key: key})
		require.ErrorContains(t, err, "hash tag", key)
	}
	_, err := redisfence.New(says{}, redisfence.Config{Key: "{x}"})
	require.ErrorIs(t, err, fencing.ErrMalformed)
}

func TestLostAnswer(t *testing.T) {
	lost := errors.New("lost")
	f, err := redisfence.New(says{err: lost}, redisfence.Config{Scope: scope, Key: "{x}"})
	require.NoError(t, err)
	_, highWater := f.HighWater(t.Context(), scope)
	for _, err := range []error{highWater, f.Check(t.Context(), token(1)), f.Advance(t.Context(), token(1))} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorIs(t, err, lost)
	}
	err = f.Set(t.Context(), token(1), "{x}y", "z")
	require.ErrorIs(t, err, redisfence.ErrUnknown)
	require.ErrorIs(t, err, lost)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)
}

// Whatever comes as an answer: only the script's own "ok" admits, and only a mark of the scope refuses a token as stale.
func FuzzAnswer(f *testing.F) {
	for _, mark := range []string{"", "none", token(5).String(), "shop/other@5." + token(5).Term, scope + "@05." + token(5).Term, scope + "@-5." + token(5).Term, scope + "@9223372036854775808." + token(5).Term} {
		for _, verdict := range []string{"ok", "stale", "conflict", "damaged", "OK", ""} {
			f.Add(verdict, mark, false)
			f.Add(verdict, mark, true)
		}
	}
	f.Fuzz(func(t *testing.T, verdict, mark string, bytes bool) {
		answer := []any{verdict, mark}
		if bytes {
			answer = []any{[]byte(verdict), []byte(mark)}
		}
		fence, err := redisfence.New(says{answer: answer}, redisfence.Config{Scope: scope, Key: "{x}"})
		require.NoError(t, err)
		parsed, parseErr := fencing.ParseToken(mark)
		good := parseErr == nil && parsed.Scope == scope

		err = fence.Set(t.Context(), token(1), "{x}y", "z")
		require.Equal(t, verdict == "ok", err == nil, "%v", err)
		require.Equal(t, verdict == "stale" && good, errors.Is(err, fencing.ErrStale), "%v", err)
		require.Equal(t, verdict == "conflict" && good, errors.Is(err, fencing.ErrConflict), "%v", err)

		got, err := fence.HighWater(t.Context(), scope)
		if verdict == "ok" && good {
			require.NoError(t, err)
			require.Equal(t, parsed, got)
			return
		}
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.Zero(t, got)
	})
}
