package leaderlock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

// How Run ends, and what becomes of the Lease.
func TestEndOfRun(t *testing.T) {
	failed := errors.New("a runnable failed")
	slow := fmt.Errorf("failed waiting for all runnables to end: %w", context.DeadlineExceeded)
	for name, c := range map[string]struct {
		start func(lock *leaderlock.Lock) func(context.Context) error
		end   func(lock *leaderlock.Lock, r *running)
		want  []error // all of them; none: Run returns nil
		kept  bool    // the Lease is left to expire
	}{
		"stopped": {
			start: func(lock *leaderlock.Lock) func(context.Context) error { return manager(lock, second, nil) },
			end:   func(_ *leaderlock.Lock, r *running) { r.stop() },
		},
		"stopped, with an error": {
			start: func(lock *leaderlock.Lock) func(context.Context) error { return manager(lock, second, failed) },
			end:   func(_ *leaderlock.Lock, r *running) { r.stop() },
			want:  []error{failed},
		},
		"stopped, and too slow for the manager": {
			start: func(lock *leaderlock.Lock) func(context.Context) error { return manager(lock, second, slow) },
			end:   func(_ *leaderlock.Lock, r *running) { r.stop() },
			want:  []error{slow, singleton.ErrUnfinished},
			kept:  true,
		},
		"resigned": {
			start: func(lock *leaderlock.Lock) func(context.Context) error { return manager(lock, second, failed) },
			end:   func(lock *leaderlock.Lock, _ *running) { lock.Elector().Resign() },
			want:  []error{singleton.ErrResigned, failed},
		},
		"failed": {
			start: func(lock *leaderlock.Lock) func(context.Context) error {
				return func(ctx context.Context) error { return errors.Join(lead(ctx, lock), failed) }
			},
			end:  func(*leaderlock.Lock, *running) {},
			want: []error{failed},
		},
		"failed, and unfinished": {
			start: func(lock *leaderlock.Lock) func(context.Context) error {
				return func(ctx context.Context) error { return errors.Join(lead(ctx, lock), slow) }
			},
			end:  func(*leaderlock.Lock, *running) {},
			want: []error{slow, singleton.ErrUnfinished},
			kept: true,
		},
		"returned": {
			start: func(lock *leaderlock.Lock) func(context.Context) error {
				return func(ctx context.Context) error { return lead(ctx, lock) }
			},
			end: func(*leaderlock.Lock, *running) {},
		},
		"returned, and never asked": {
			start: func(*leaderlock.Lock) func(context.Context) error {
				return func(context.Context) error { return failed }
			},
			end:  func(*leaderlock.Lock, *running) {},
			want: []error{failed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				lock := l.lock("a")
				r := l.run(func(ctx context.Context) error { return lock.Run(ctx, c.start(lock)) })
				c.end(lock, r)
				err := r.wait()
				for _, want := range c.want {
					require.ErrorIs(l, err, want)
				}
				if c.want == nil {
					require.NoError(l, err)
				}
				if c.kept {
					require.Equal(l, lock.Identity(), l.holder())
				} else {
					require.NotErrorIs(l, err, singleton.ErrUnfinished)
					require.Empty(l, l.holder())
				}
			})
		})
	}
}

// start returns while this replica stands by: it stands by no longer.
func TestStandbyWhoseStartReturns(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.lock("a"), l.lock("b")
		l.run(func(ctx context.Context) error { return a.Run(ctx, manager(a, 0, nil)) })
		sleep(second)
		failed := errors.New("the webhook's port is taken")
		r := l.run(func(ctx context.Context) error {
			return b.Run(ctx, func(ctx context.Context) error {
				asked, cancel := context.WithTimeout(ctx, 3*second)
				defer cancel()
				_, _, _ = b.Get(asked)
				return failed
			})
		})
		sleep(2 * second)
		require.Equal(l, singleton.StateStandby, b.Elector().Status().State)
		require.ErrorIs(l, r.wait(), failed)
		require.Equal(l, a.Identity(), l.holder())
	})
}

// After a loss Run waits for half the stop budget. Then the process has to end, with time to spare.
func TestStartThatDoesNotReturn(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(l lab)
		lost  time.Duration // after the fault
	}{
		"partition": {func(l lab) { l.Link("a").BlackHole() }, 9 * second}, // renewed a second before
		"deleted":   {func(l lab) { l.DeleteLease(); synctest.Wait() }, 0},
	} {
		for _, drains := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, drains %v", name, drains), func(t *testing.T) {
				inLab(t, func(l lab) {
					lock, free := l.lock("a"), make(chan struct{})
					defer close(free)
					r := l.run(func(ctx context.Context) error {
						return lock.Run(ctx, func(ctx context.Context) error {
							defer func() { <-free }()
							return lead(ctx, lock)
						})
					})
					sleep(4 * second)
					if drains {
						r.stop()
					}
					sleep(second)
					c.fault(l)
					faulted := time.Now()
					err := r.wait()
					require.ErrorIs(l, err, singleton.ErrUnfinished)
					if !drains {
						require.ErrorIs(l, err, singleton.ErrLost)
					}
					took, budget := time.Since(faulted), lease.Timing{}.WithDefaults().StopBudget()
					require.GreaterOrEqual(l, took, c.lost+budget/2)
					lost := c.lost
					if drains && lost == 0 {
						lost = 2 * second // nothing is watched any more: the next renewal shows it
					}
					require.Less(l, took, lost+budget*3/4, "the process has time to end")
				})
			})
		}
	}
}

// A hook that panics ends the term as any end does: client-go's side has stopped before the panic
// goes on.
func TestHookThatPanics(t *testing.T) {
	inLab(t, func(l lab) {
		var hook sync.Once
		lock := l.lock("a", func(c *singleton.Config) {
			c.Hooks.OnHolder = func(h singleton.Holder) {
				if h.Self {
					hook.Do(func() { time.Sleep(second); panic("a bug") })
				}
			}
		})
		var panicked any
		stopped := false
		r := l.run(func(ctx context.Context) error {
			defer func() { panicked = recover() }()
			return lock.Run(ctx, func(ctx context.Context) error {
				defer func() { stopped = true }()
				return manager(lock, second, nil)(ctx)
			})
		})
		_ = r.wait()
		require.IsType(l, &singleton.PanicError{}, panicked)
		require.True(l, stopped)
		require.Empty(l, l.holder(), "released")
		_, _, err := lock.Get(l.Context())
		require.ErrorIs(l, err, leaderlock.ErrNotRun)
	})
}
