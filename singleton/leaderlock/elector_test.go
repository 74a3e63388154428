package leaderlock_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// client-go's elector over the lock, in a service that restarts after a loss, as a container does.
func TestStorm(t *testing.T) {
	singletontest.Storm(t, func(ctx context.Context, r *singletontest.Replica) error {
		lock, err := leaderlock.New(r.Client, singleton.Config{
			Name: r.Lease, Namespace: r.Namespace, Logger: quiet(),
			Replica: singleton.ReplicaConfig{Identity: r.Name},
		})
		if err != nil {
			return err
		}
		work := r.Work(func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(second)
			return nil
		})
		return lock.RunElector(ctx, electionConfig(defaults(), func(ctx context.Context) {
			_ = work(ctx, nil)
		}, nil))
	})
}

// client-go learns of the term when it begins: a handover waits for none of its periods. The
// Lease is released after the work has returned.
func TestHandover(t *testing.T) {
	for name, c := range map[string]timings{
		"client-go's defaults": defaults(),
		"an external-attacher": {15 * second, 10 * second, 5 * second},
		"a control plane":      {137 * second, 107 * second, 26 * second},
		"hurried":              {3 * second, 1 * second, 200 * time.Millisecond},
		"below a second":       {500 * time.Millisecond, 300 * time.Millisecond, 100 * time.Millisecond},
		"absurd":               {24 * time.Hour, 12 * time.Hour, 9 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				var d diary
				a, stopped := l.lock("a"), []string(nil)
				first := l.run(func(ctx context.Context) error {
					return a.RunElector(ctx, electionConfig(c, d.work("a", 7*second), func() {
						stopped = append(stopped, l.holder())
					}))
				})
				sleep(time.Minute)
				require.Equal(l, []string{"a"}, d.now())
				require.Equal(l, a.Identity(), l.holder())
				b := l.lock("b")
				l.run(func(ctx context.Context) error {
					return b.RunElector(ctx, electionConfig(c, d.work("b", 0), nil))
				})
				sleep(second / 10) // less than client-go's RetryPeriod
				first.stop()
				sleep(6 * second)
				require.Equal(l, []string{"a"}, d.now(), "it drains")
				require.Equal(l, a.Identity(), l.holder(), "the Lease is kept for it")
				require.NoError(l, first.wait())
				sleep(second)
				require.Len(l, stopped, 1)
				require.NotEqual(l, a.Identity(), stopped[0], "OnStoppedLeading follows the release")
				require.Equal(l, []string{"b"}, d.now())
				require.GreaterOrEqual(l, d.gap(l, 0), time.Duration(0))
				require.Less(l, d.gap(l, 0), second/10)
			})
		})
	}
}

// A loss ends client-go's work, whatever its own durations are. Nobody overlaps.
func TestLoss(t *testing.T) {
	intruder := "somebody else"
	for name, c := range map[string]struct {
		fault  func(l lab)
		within time.Duration // work has to end after the fault
		reason singleton.Reason
	}{
		"partition": {
			fault:  func(l lab) { l.Link("a").BlackHole() },
			within: 11 * second, reason: singleton.ReasonExpired,
		},
		"deleted": {
			fault:  func(l lab) { l.DeleteLease(); synctest.Wait() },
			reason: singleton.ReasonDeleted,
		},
		"cleared": {
			fault: func(l lab) {
				l.edit(func(x *coordv1.Lease) { x.Spec.HolderIdentity = nil })
			},
			reason: singleton.ReasonCleared,
		},
		"replaced": {
			fault: func(l lab) {
				l.edit(func(x *coordv1.Lease) {
					x.Annotations, x.Labels, x.Spec = nil, nil, coordv1.LeaseSpec{}
				})
			},
			reason: singleton.ReasonCleared,
		},
		"taken": {
			fault: func(l lab) {
				l.edit(func(x *coordv1.Lease) { x.Spec.HolderIdentity = &intruder })
			},
			reason: singleton.ReasonTaken,
		},
	} {
		for _, own := range []timings{
			defaults(), {24 * time.Hour, 12 * time.Hour, 9 * time.Hour}, {3 * second, second, second / 5},
		} {
			t.Run(fmt.Sprint(name, own), func(t *testing.T) {
				inLab(t, func(l lab) {
					var d diary
					a := l.run(func(ctx context.Context) error {
						return l.lock("a").RunElector(ctx, electionConfig(own, d.work("a", second), nil))
					})
					sleep(5 * second)
					l.run(func(ctx context.Context) error {
						return l.lock("b").RunElector(ctx, electionConfig(own, d.work("b", 0), nil))
					})
					sleep(5*second + second/2)
					c.fault(l)
					sleep(c.within)
					require.True(l, d.all()[0].told, "its context has ended")
					sleep(second)
					require.True(l, a.ended(), "RunElector has returned")
					end, ok := errorAs[*singleton.EndError](a.err)
					require.True(l, ok, "%v", a.err)
					require.Equal(l, c.reason, end.Reason)
					sleep(time.Minute)
					require.Equal(l, []string{"b"}, d.now())
					require.Greater(l, d.gap(l, 0), time.Duration(0), "nobody overlaps")
					require.Less(l, d.gap(l, 0), 15*second, "the one that stood by follows")
				})
			})
		}
	}
}

// A term that client-go does not learn of before it drains is not handed to it any more.
func TestNoWorkBeginsInATermThatEnds(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		r := l.run(func(ctx context.Context) error {
			return lock.Run(ctx, func(ctx context.Context) error {
				asked, cancel := context.WithTimeout(ctx, 0) // client-go asks, and then is slow
				defer cancel()
				_, _, _ = lock.Get(asked)
				<-ctx.Done()
				time.Sleep(second)
				record, _, err := lock.Get(context.Background())
				if err != nil {
					return err
				}
				if record.HolderIdentity == "" || record.HolderIdentity == lock.Identity() {
					return fmt.Errorf("client-go sees a Lease that it may take: %+v", record)
				}
				if !lock.Elector().Status().Term.Valid() {
					return fmt.Errorf("the Lease is not kept") //nolint:perfsprint // no matter
				}
				return lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: lock.Identity()})
			})
		})
		sleep(second)
		require.True(l, lock.Elector().IsActive())
		r.stop()
		require.ErrorIs(l, r.wait(), leaderlock.ErrNoTerm)
		require.Empty(l, l.holder(), "released")
	})
}

// While work drains, client-go goes on leading: otherwise a manager would cut its own shutdown
// short.
func TestLeadsWhileItDrains(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		var writes []error
		r := l.run(func(ctx context.Context) error {
			return lock.Run(ctx, func(ctx context.Context) error {
				if _, _, err := lock.Get(ctx); err != nil {
					return err
				}
				record := resourcelock.LeaderElectionRecord{HolderIdentity: lock.Identity()}
				writes = append(writes, lock.Update(ctx, record))
				<-ctx.Done()
				for range 30 { // longer than the Lease's own deadlines
					time.Sleep(second)
					writes = append(writes, lock.Update(ctx, record))
				}
				return nil
			})
		})
		sleep(second)
		r.stop()
		require.NoError(l, r.wait())
		require.Equal(l, make([]error, 31), writes)
	})
}

// OnNewLeader tells of others, and of itself.
func TestOnNewLeader(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.lock("a"), l.lock("b")
		seen := make(chan string, 10)
		first := l.run(func(ctx context.Context) error {
			return a.RunElector(ctx, electionConfig(defaults(), nil, nil))
		})
		l.run(func(ctx context.Context) error {
			config := electionConfig(defaults(), nil, nil)
			config.Callbacks.OnNewLeader = func(identity string) { seen <- identity }
			return b.RunElector(ctx, config)
		})
		sleep(second)
		first.stop()
		sleep(second)
		require.Equal(l, a.Identity(), <-seen)
		require.Equal(l, b.Identity(), <-seen)
		require.Empty(l, seen)
	})
}

// The watchdog of client-go's health check is fed.
func TestWatchDog(t *testing.T) {
	inLab(t, func(l lab) {
		dog := leaderelection.NewLeaderHealthzAdaptor(0)
		l.run(func(ctx context.Context) error {
			config := electionConfig(defaults(), nil, nil)
			config.WatchDog = dog
			return l.lock("a").RunElector(ctx, config)
		})
		sleep(10 * time.Minute)
		require.NotEmpty(l, l.holder())
		require.NoError(l, dog.Check(httptest.NewRequest(http.MethodGet, "/healthz", nil)))
	})
}

// Configurations that are refused start nothing.
func TestElectorConfigs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(l lab, c *leaderelection.LeaderElectionConfig)
		want   string
	}{
		"another lock": {
			func(l lab, c *leaderelection.LeaderElectionConfig) { c.Lock = l.lock("other") },
			`leaderlock: LeaderElectionConfig.Lock "shop/invoicer" must be this Lock, or nil`,
		},
		"coordinated": {
			func(_ lab, c *leaderelection.LeaderElectionConfig) { c.Coordinated = true },
			`leaderlock: LeaderElectionConfig.Coordinated true must be false: hotseat elects`,
		},
		"client-go's own rules": {
			func(_ lab, c *leaderelection.LeaderElectionConfig) { c.RenewDeadline = c.LeaseDuration },
			"leaderlock: client-go's elector: leaseDuration must be greater than renewDeadline",
		},
		"no OnStartedLeading": {
			func(_ lab, c *leaderelection.LeaderElectionConfig) { c.Callbacks.OnStartedLeading = nil },
			"leaderlock: client-go's elector: OnStartedLeading callback must not be nil",
		},
		"no OnStoppedLeading": {
			func(_ lab, c *leaderelection.LeaderElectionConfig) { c.Callbacks.OnStoppedLeading = nil },
			"leaderlock: client-go's elector: OnStoppedLeading callback must not be nil",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				lock := l.lock("a")
				config := electionConfig(defaults(), nil, func() { l.Error("OnStoppedLeading was called") })
				c.change(l, &config)
				require.EqualError(l, lock.RunElector(l.Context(), config), c.want)
				require.Equal(l, singleton.StateStopped, lock.Elector().Status().State)
			})
		})
	}
}

func TestCheckShutdown(t *testing.T) {
	inLab(t, func(l lab) {
		lock := l.lock("a")
		brief := l.lock("b", func(c *singleton.Config) { c.Replica.DrainLimit = 20 * second })
		at := func(d time.Duration) *time.Duration { return &d }
		require.NoError(l, lock.CheckShutdown(nil))
		require.NoError(l, lock.CheckShutdown(at(5*time.Minute)))
		require.NoError(l, lock.CheckShutdown(at(-1)))
		require.EqualError(l, lock.CheckShutdown(at(0)),
			"leaderlock: GracefulShutdownTimeout 0s must not be 0:"+
				" the Lease would be released while controllers work")
		require.EqualError(l, lock.CheckShutdown(at(5*time.Minute+1)),
			"leaderlock: GracefulShutdownTimeout 5m0.000000001s must be at most"+
				" Config.Replica.DrainLimit 5m0s")
		err := brief.CheckShutdown(nil)
		require.EqualError(l, err, "leaderlock: GracefulShutdownTimeout 30s (the default) must be at most"+
			" Config.Replica.DrainLimit 20s")
		_, ok := errorAs[*lease.FieldError](err)
		require.True(l, ok)
	})
}
