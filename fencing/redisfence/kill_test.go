//go:build unix

package redisfence_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// tally is what the server's clients know of it, over all its lives.
type tally struct {
	mu       sync.Mutex
	sent     int64          // the highest epoch that was
	answered int64          // the highest epoch that was admitted
	written  map[int64]bool // epochs of writes: whether they were answered
}

func (a *tally) next(writes bool) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent++
	if writes {
		a.written[a.sent] = false
	}
	return a.sent
}

func (a *tally) admitted(epoch int64, wrote bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answered = max(a.answered, epoch)
	if wrote {
		a.written[epoch] = true
	}
}

func (a *tally) highest() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answered
}

// use announces tokens and writes under them, each newer than all before it, until the server is gone.
func (a *tally) use(ctx context.Context, f *redisfence.Guard, k keys) error {
	for writes := false; ; writes = !writes {
		epoch := a.next(writes)
		token := guardtest.Token(epoch, 0)
		var err error
		if writes {
			err = f.HSet(ctx, token, k.value(), strconv.FormatInt(epoch, 10), "x")
		} else {
			err = f.Announce(ctx, token)
		}
		switch {
		case err == nil:
			a.admitted(epoch, writes)
		case !errors.Is(err, fencing.ErrStale): // another's came first
			return err
		}
	}
}

// TestKilled kills Redis at any moment amid announcements, writes and rewrites of its file. With appendfsync always, what was answered is
// there when it runs again: no mark is lower, no write is lost, and none is there that the mark does not cover.
func TestKilled(t *testing.T) {
	s := services.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	k := newKeys(s.Addr(), 0)
	a := &tally{written: map[int64]bool{}}
	lives := 20
	if testing.Short() {
		lives = 5
	}
	for range lives {
		rewriter := k.redis(t)
		ended := make(chan error, 4)
		for range cap(ended) {
			f := k.guard(t, k.redis(t), open)
			go func() { ended <- a.use(t.Context(), f, k) }()
		}
		enough := a.highest() + 50 + rand.Int64N(200)
		rewrite := enough - rand.Int64N(100)
		for begun := false; a.highest() < enough; time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) {
			if !begun && a.highest() >= rewrite {
				require.NoError(t, rewriter.BgRewriteAOF(t.Context()).Err())
				begun = true
			}
			require.Empty(t, ended, "the server is gone before it was killed")
		}
		s.Kill()
		for range cap(ended) {
			err := <-ended
			require.True(t, errors.Is(err, redisfence.ErrUnknown) || errors.Is(err, fencing.ErrUnavailable), "%v", err)
		}
		require.NoError(t, s.Restart(t.Context()))
		a.check(t, k)
	}
	t.Logf("%d lives, %d tokens, %d admitted last, %d writes", lives, a.sent, a.answered, len(a.written))
}

// check compares the server with what its clients know, while none of them runs.
func (a *tally) check(t *testing.T, k keys) {
	t.Helper()
	client := k.redis(t)
	f := k.guard(t, client, open)
	mark, err := f.Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.GreaterOrEqual(t, mark.Epoch, a.answered, "the mark went down")
	require.LessOrEqual(t, mark.Epoch, a.sent)
	there, err := client.HGetAll(t.Context(), k.value()).Result()
	require.NoError(t, err)
	for field := range there {
		epoch, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		require.Contains(t, a.written, epoch)
		require.LessOrEqual(t, epoch, mark.Epoch, "a write is there that its mark does not cover")
	}
	for epoch, answered := range a.written {
		if answered {
			require.Contains(t, there, strconv.FormatInt(epoch, 10), "a write was answered and is lost")
		}
	}
	require.ErrorIs(t, f.Set(t.Context(), guardtest.Token(a.answered-1, 0), k.value(), "stale"), fencing.ErrStale)
	require.ErrorIs(t, f.Set(t.Context(), guardtest.Token(mark.Epoch, 1), k.value(), "rival"), fencing.ErrConflict)
}

// TestKilledWithoutAFile: the guarantee is the file's. Without one a stale token is admitted, until the present one is announced again.
func TestKilledWithoutAFile(t *testing.T) {
	s := services.Redis(t)
	k := newKeys(s.Addr(), 0)
	f := k.guard(t, k.redis(t), open)
	require.NoError(t, f.Announce(t.Context(), two))
	require.ErrorIs(t, f.Set(t.Context(), one, k.value(), "stale"), fencing.ErrStale)
	require.NoError(t, s.Restart(t.Context()))
	f = k.guard(t, k.redis(t), open)
	mark, err := f.Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.Zero(t, mark)
	require.NoError(t, f.Set(t.Context(), one, k.value(), "stale"))
	require.NoError(t, f.Announce(t.Context(), two))
	require.ErrorIs(t, f.Set(t.Context(), one, k.value(), "stale"), fencing.ErrStale)
}
