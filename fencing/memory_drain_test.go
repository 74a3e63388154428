package fencing_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// answer is what a call returned, and how long it took in the bubble's time.
type answer struct {
	err  error
	took time.Duration
}

func ask(call func() error) <-chan answer {
	out := make(chan answer, 1)
	began := time.Now()
	go func() {
		err := call()
		out <- answer{err, time.Since(began)}
	}()
	synctest.Wait()
	return out
}

// A stale request that passed the check and is parked cannot land after a newer token was let in, by whichever door.
func TestMemoryParkedRequestHoldsNewerTokenBack(t *testing.T) {
	for door, present := range doors {
		t.Run(door, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t, 0)
				var landed []string
				work, leave, err := m.Enter(t.Context(), token(1))
				require.NoError(t, err)

				newer := ask(func() error {
					err := present(t.Context(), m, token(2))
					landed = append(landed, "newer")
					return err
				})
				select {
				case <-work.Done():
				default:
					require.Fail(t, "older work was not told to end")
				}
				require.Empty(t, newer, "admitted beside older work")
				require.ErrorIs(t, m.Check(t.Context(), token(1)), fencing.ErrStale, "the mark rises before the wait")

				time.Sleep(3 * time.Second) // it does not listen
				require.Empty(t, newer)
				landed = append(landed, "older")
				leave()
				require.Equal(t, answer{nil, 3 * time.Second}, <-newer)
				require.Equal(t, []string{"older", "newer"}, landed)
			})
		})
	}
}

func TestMemoryCauseOfEndedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		work, leave, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		defer leave()
		require.ErrorIs(t, m.Announce(expired(t), token(2)), fencing.ErrUnavailable)
		require.ErrorIs(t, m.Announce(expired(t), token(3)), fencing.ErrUnavailable)

		cause := context.Cause(work)
		require.ErrorIs(t, cause, fencing.ErrStale)
		require.ErrorIs(t, cause, context.Canceled, "net/http returns the cause, and callers look for Canceled")
		var stale *fencing.StaleError
		require.ErrorAs(t, cause, &stale)
		require.Equal(t, fencing.StaleError{Presented: token(1), Mark: token(2)}, *stale, "the first newer token ended it")
	})
}

// expired returns a context that has ended.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestMemoryEnterContext(t *testing.T) {
	type key struct{}
	m := newMemory(t, 0)
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	defer cancel()
	work, leave, err := m.Enter(parent, token(1))
	require.NoError(t, err)
	require.Equal(t, "kept", work.Value(key{}))
	tok, ok := fencing.FromContext(work)
	require.True(t, ok)
	require.Equal(t, token(1), tok)
	require.NoError(t, work.Err())
	leave()
	require.Equal(t, context.Canceled, context.Cause(work), "leaving is not being fenced off")

	work, leave, err = m.Enter(parent, token(1))
	require.NoError(t, err)
	defer leave()
	cancel()
	require.ErrorIs(t, work.Err(), context.Canceled)
}

// A request whose own context has ended may still have its effect on the way, so only leave counts.
func TestMemoryEndedRequestIsStillInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leave, err := m.Enter(expired(t), token(1))
		require.NoError(t, err)
		newer := ask(func() error { return m.Announce(t.Context(), token(2)) })
		time.Sleep(time.Second)
		require.Empty(t, newer)
		leave()
		require.Equal(t, answer{nil, time.Second}, <-newer)
	})
}

func TestMemoryLeaveIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leaveFirst, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		_, leaveSecond, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		leaveFirst()
		leaveFirst()
		newer := ask(func() error { return m.Announce(t.Context(), token(2)) })
		leaveFirst()
		synctest.Wait()
		require.Empty(t, newer, "leaving twice must not stand for another request")
		leaveSecond()
		require.NoError(t, (<-newer).err)
		leaveSecond()
		require.NoError(t, m.Check(t.Context(), token(2)))
	})
}

func TestMemoryWaitsForAllOlderWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		for n := range 10 {
			_, leave, err := m.Enter(t.Context(), token(1))
			require.NoError(t, err)
			time.AfterFunc(time.Duration(n)*100*time.Millisecond, leave)
		}
		require.Equal(t, answer{nil, 900 * time.Millisecond}, <-ask(func() error { return m.Announce(t.Context(), token(2)) }))
	})
}

func TestMemoryDrainTimeoutThenRetry(t *testing.T) {
	for name, tt := range map[string]struct{ config, want time.Duration }{
		"default":  {0, 5 * time.Second},
		"shortest": {1, 1},
		"given":    {200 * time.Millisecond, 200 * time.Millisecond},
	} {
		for door, present := range doors {
			t.Run(name+"/"+door, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMemory(t, tt.config)
					_, leave, err := m.Enter(t.Context(), token(1))
					require.NoError(t, err)
					try := func() answer {
						return <-ask(func() error { return present(t.Context(), m, token(2)) })
					}
					for range 3 {
						got := try()
						require.ErrorIs(t, got.err, fencing.ErrUnavailable)
						require.ErrorContains(t, got.err, tt.want.String())
						require.NotErrorIs(t, got.err, context.DeadlineExceeded, "the caller's own deadline has not passed")
						require.Equal(t, tt.want, got.took, "each try waits its own Drain")
						mark, err := m.Mark(t.Context(), "shop/invoicer")
						require.NoError(t, err)
						require.Equal(t, token(2), mark, "the mark stays raised")
						require.ErrorIs(t, m.Check(t.Context(), token(1)), fencing.ErrStale)
						require.ErrorIs(t, m.Check(expired(t), rival(2)), fencing.ErrConflict)
					}
					leave()
					require.Equal(t, answer{nil, 0}, try())
				})
			})
		}
	}
}

func TestMemoryContextEndsWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leave, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := <-ask(func() error { return m.Announce(ctx, token(2)) })
		require.ErrorIs(t, got.err, fencing.ErrUnavailable)
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		require.Equal(t, time.Second, got.took)

		why := errors.New("shutting down")
		causeCtx, cancelCause := context.WithCancelCause(t.Context())
		waiting := ask(func() error { return m.Announce(causeCtx, token(2)) })
		cancelCause(why)
		require.ErrorIs(t, (<-waiting).err, why)

		leave()
		require.NoError(t, m.Announce(t.Context(), token(2)), "the retry finds the work gone")
		require.NoError(t, m.Check(expired(t), token(2)), "what needs no wait does not look at the context")
	})
}

// A token that waits for older work is refused at once when a still newer one arrives, not when the wait is over.
func TestMemoryWaitingTokenIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leave, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		second := ask(func() error {
			_, _, err := m.Enter(t.Context(), token(2))
			return err
		})
		time.Sleep(time.Second)
		third := ask(func() error { return m.Announce(t.Context(), token(3)) })

		got := <-second
		var stale *fencing.StaleError
		require.ErrorAs(t, got.err, &stale)
		require.Equal(t, fencing.StaleError{Presented: token(2), Mark: token(3)}, *stale)
		require.Equal(t, time.Second, got.took)

		time.Sleep(time.Second)
		require.Empty(t, third)
		leave()
		require.Equal(t, answer{nil, time.Second}, <-third)
	})
}

// Nobody is kept from an answer by somebody who waits: not the same scope, not another one.
func TestMemoryWaitsWithoutBlockingOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leave, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		waiting := ask(func() error { return m.Announce(t.Context(), token(2)) })

		began := time.Now()
		elsewhere := fencing.Token{Scope: "shop/mailer", Epoch: 1, Term: termA}
		require.NoError(t, m.Announce(t.Context(), elsewhere))
		require.ErrorIs(t, m.Check(t.Context(), token(1)), fencing.ErrStale)
		_, err = m.Mark(t.Context(), "shop/invoicer")
		require.NoError(t, err)
		require.Zero(t, time.Since(began))

		leave()
		require.NoError(t, (<-waiting).err)
	})
}

// Announcements that race for one scope: all of the highest epoch succeed, no lower one does after it.
func TestMemoryConcurrentAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 0)
		_, leave, err := m.Enter(t.Context(), token(1))
		require.NoError(t, err)
		var asked []<-chan answer
		for _, epoch := range []int64{3, 9, 5, 9, 2, 9, 8} {
			asked = append(asked, ask(func() error { return m.Announce(t.Context(), token(epoch)) }))
		}
		time.AfterFunc(time.Second, leave)
		for i, want := range []error{fencing.ErrStale, nil, fencing.ErrStale, nil, fencing.ErrStale, nil, fencing.ErrStale} {
			require.ErrorIs(t, (<-asked[i]).err, want, "call %d", i)
		}
	})
}
