package redisfence_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
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
	_, mark := f.Mark(t.Context(), scope)
	for _, err := range []error{mark, f.Check(t.Context(), token(1)), f.Announce(t.Context(), token(1))} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorIs(t, err, lost)
	}
	err = f.Set(t.Context(), token(1), "{x}y", "z")
	require.ErrorIs(t, err, redisfence.ErrUnknown)
	require.ErrorIs(t, err, lost)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)
}

// refused is what an error of the server's own looks like.
type refused string

func (r refused) Error() string { return string(r) }
func (refused) RedisError()     {}

// What was not sent did not happen, and what no waiting mends is wiring.
func TestErrors(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	read := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, tt := range []struct {
		err             error
		write, announce error
	}{
		{fmt.Errorf("pool: %w", dial), fencing.ErrUnavailable, fencing.ErrUnavailable},
		{fmt.Errorf("%w: no connection is free", fencing.ErrUnavailable), fencing.ErrUnavailable, fencing.ErrUnavailable},
		{read, redisfence.ErrUnknown, fencing.ErrUnavailable},
		{context.DeadlineExceeded, redisfence.ErrUnknown, fencing.ErrUnavailable},
		{refused("NOPERM this user has no permissions to run the 'eval' command"), nil, fencing.ErrWiring},
		{refused("NOAUTH Authentication required."), nil, fencing.ErrWiring},
		{refused("WRONGPASS invalid username-password pair or user is disabled."), nil, fencing.ErrWiring},
		{refused("MOVED 12 10.0.0.1:6379"), nil, fencing.ErrWiring},
		{refused("ERR unknown command 'evalsha', with args beginning with: "), nil, fencing.ErrWiring},
		{refused("READONLY You can't write against a read only replica."), nil, fencing.ErrUnavailable},
		{refused("LOADING Redis is loading the dataset in memory"), nil, fencing.ErrUnavailable},
		{refused("MISCONF Errors writing to the AOF file: No space left on device"), nil, fencing.ErrUnavailable},
		{refused("CLUSTERDOWN The cluster is down"), nil, fencing.ErrUnavailable},
		{refused("WRONGTYPE Operation against a key holding the wrong kind of value"), nil, fencing.ErrUnavailable}, // a mark that is damaged
	} {
		f, err := redisfence.New(says{err: tt.err}, redisfence.Config{Scope: scope, Key: "{x}:mark"})
		require.NoError(t, err)
		_, mark := f.Mark(t.Context(), scope)
		for door, err := range map[string]error{
			"Mark": mark, "Check": f.Check(t.Context(), token(1)), "Announce": f.Announce(t.Context(), token(1)),
		} {
			require.ErrorIs(t, err, tt.err, door)
			for _, is := range []error{fencing.ErrUnavailable, fencing.ErrWiring} {
				require.Equal(t, is == tt.announce, errors.Is(err, is), "%s: %v", door, err) //nolint:errorlint // the table's own value
			}
			if tt.announce == fencing.ErrWiring { //nolint:errorlint // the same
				require.ErrorContains(t, err, "{x}:mark", door)
			}
		}
		err = f.Set(t.Context(), token(1), "{x}y", "z")
		require.ErrorIs(t, err, tt.err)
		for _, is := range []error{fencing.ErrUnavailable, redisfence.ErrUnknown, fencing.ErrWiring} {
			require.Equal(t, is == tt.write, errors.Is(err, is), "Set: %v", err) //nolint:errorlint // the table's own value
		}
	}
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
		guard, err := redisfence.New(says{answer: answer}, redisfence.Config{Scope: scope, Key: "{x}"})
		require.NoError(t, err)
		parsed, parseErr := fencing.ParseToken(mark)
		good := parseErr == nil && parsed.Scope == scope

		err = guard.Set(t.Context(), token(1), "{x}y", "z")
		require.Equal(t, verdict == "ok", err == nil, "%v", err)
		require.Equal(t, verdict == "stale" && good, errors.Is(err, fencing.ErrStale), "%v", err)
		require.Equal(t, verdict == "conflict" && good, errors.Is(err, fencing.ErrConflict), "%v", err)

		got, err := guard.Mark(t.Context(), scope)
		if verdict == "ok" && good {
			require.NoError(t, err)
			require.Equal(t, parsed, got)
			return
		}
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.Zero(t, got)
	})
}
