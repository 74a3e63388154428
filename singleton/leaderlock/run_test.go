package leaderlock_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

func errorAs[E error](err error) (E, bool) { return errors.AsType[E](err) }

// lead waits for the term and takes it, as client-go does.
func lead(ctx context.Context, lock *leaderlock.Lock) error {
	if _, _, err := lock.Get(ctx); err != nil {
		return err
	}
	return lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: lock.Identity()})
}

// A manager whose context is that of start, and which needs drain to stop.
func manager(lock *leaderlock.Lock, drain time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := lead(ctx, lock); err != nil {
			return nil //nolint:nilerr // it never led
		}
		<-ctx.Done()
		time.Sleep(drain)
		return err
	}
}

// Nobody leads by a Lock that does not run, and client-go's log says what to do.
func TestLeadsOnlyInRun(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		try := func() {
			config := electionConfig(defaults(), func(context.Context) { l.Error("it leads") }, nil)
			config.Lock = lock
			elector, err := leaderelection.NewLeaderElector(config)
			require.NoError(l, err)
			ctx, cancel := context.WithTimeout(l.Context(), 5*time.Minute)
			defer cancel()
			elector.Run(ctx)
			_, _, err = lock.Get(l.Context())
			require.ErrorIs(l, err, leaderlock.ErrNotRun)
			require.ErrorContains(l, err, "lock.Run(ctx, manager.Start)")
			for _, write := range []func(context.Context, resourcelock.LeaderElectionRecord) error{
				lock.Create, lock.Update,
			} {
				err := write(l.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: lock.Identity()})
				require.ErrorIs(l, err, leaderlock.ErrNotRun)
			}
		}
		try()
		r := l.run(func(ctx context.Context) error { return lock.Run(ctx, manager(lock, 0, nil)) })
		sleep(second)
		require.True(l, lock.Elector().IsActive())
		r.stop()
		require.NoError(l, r.wait())
		try()
	})
}

// A Lock is for one term: a second Run would lead with controllers that cannot start again.
func TestUsedOnce(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		require.EqualError(l, lock.Run(l.Context(), nil), "leaderlock: start <nil> must not be nil")
		r := l.run(func(ctx context.Context) error { return lock.Run(ctx, manager(lock, 0, nil)) })
		again := func() {
			require.ErrorIs(l, lock.Run(l.Context(), manager(lock, 0, nil)), leaderlock.ErrUsed)
			config := electionConfig(defaults(), nil, func() { l.Error("OnStoppedLeading was called") })
			require.ErrorIs(l, lock.RunElector(l.Context(), config), leaderlock.ErrUsed)
		}
		again()
		r.stop()
		require.NoError(l, r.wait())
		again()
	})
}

// The elector writes the name of this replica only.
func TestForeignIdentity(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		r := l.run(func(ctx context.Context) error {
			return lock.Run(ctx, func(ctx context.Context) error {
				if err := lead(ctx, lock); err != nil {
					return err
				}
				return lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: "other"})
			})
		})
		require.ErrorContains(l, r.wait(), `HolderIdentity "other" must be "a_`)
	})
}

// A replica is no candidate before client-go asks, so the Lease does not go to one whose caches
// have not synced. A manager that was never told of the lock is seen, and said.
func TestCandidateOnceAsked(t *testing.T) {
	inLab(t, func(l lab) {
		var log lines
		warm := false
		lock := l.lock("a", func(c *singleton.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Replica.WarmUp = func(context.Context) error { warm = true; return nil }
		})
		l.run(func(ctx context.Context) error {
			return lock.Run(ctx, func(ctx context.Context) error {
				time.Sleep(20 * second) // caches sync
				return manager(lock, 0, nil)(ctx)
			})
		})
		require.True(l, warm, "the user's own")
		sleep(14 * second)
		require.Error(l, lock.Elector().Ready())
		require.Empty(l, l.holder())
		require.NotContains(l, log.String(), "LeaderElectionResourceLockInterface")
		sleep(2 * second)
		require.Contains(l, log.String(), "LeaderElectionResourceLockInterface")
		sleep(5 * second)
		require.NoError(l, lock.Elector().Ready())
		require.Equal(l, lock.Identity(), l.holder())
	})
}

func TestWarmUpFails(t *testing.T) {
	inLab(t, func(l lab) {
		cold := errors.New("cold")
		lock := l.lock("a", func(c *singleton.Config) {
			c.Replica.WarmUp = func(context.Context) error { return cold }
		})
		r := l.run(func(ctx context.Context) error { return lock.Run(ctx, manager(lock, second, nil)) })
		require.ErrorIs(l, r.wait(), cold)
	})
}

// What the contexts carry and when they end.
func TestContexts(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		base, given := lock.BaseContext(), make(chan context.Context, 1)
		_, ok := fencing.FromContext(base)
		require.False(l, ok, "there is no term yet")
		r := l.run(func(ctx context.Context) error {
			given <- ctx
			return lock.Run(ctx, func(ctx context.Context) error {
				given <- ctx
				return manager(lock, 5*second, nil)(ctx)
			})
		})
		<-given
		start := <-given
		sleep(second)
		for _, ctx := range []context.Context{base, start} {
			token, ok := fencing.FromContext(ctx)
			require.True(l, ok)
			require.Equal(l, lock.Elector().Status().Token, token)
		}
		require.Equal(l, lock.Elector().Status().Token, lock.Token())

		stale := &fencing.StaleError{Presented: lock.Token(), Mark: lock.Token()}
		stale.Mark.Epoch++
		_ = fencing.Report(base, stale)
		sleep(second)
		end, ok := errorAs[*singleton.EndError](context.Cause(start))
		require.True(l, ok, "%v", context.Cause(start))
		require.Equal(l, singleton.ReasonRefused, end.Reason)
		require.NoError(l, base.Err(), "the manager stops its runnables in its order")
		require.ErrorIs(l, r.wait(), fencing.ErrStale)
		require.Error(l, base.Err())
	})
}

// When the term is lost, every runnable has to stop at once.
func TestBaseContextEndsWithALoss(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		r := l.run(func(ctx context.Context) error { return lock.Run(ctx, manager(lock, second, nil)) })
		sleep(second)
		require.NoError(l, lock.BaseContext().Err())
		l.DeleteLease()
		synctest.Wait()
		require.ErrorIs(l, context.Cause(lock.BaseContext()), singleton.ErrLost)
		require.False(l, r.ended())

		record := resourcelock.LeaderElectionRecord{HolderIdentity: lock.Identity()}
		err := lock.Update(context.Background(), record)
		require.ErrorIs(l, err, leaderlock.ErrNoTerm)
		require.ErrorIs(l, err, singleton.ErrLost)
		seen, _, err := lock.Get(context.Background())
		require.NoError(l, err)
		require.NotContains(l, []string{"", lock.Identity()}, seen.HolderIdentity, "client-go sees it")
	})
}
