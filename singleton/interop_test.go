package singleton_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/lease"
)

// mixed plays candidates named client-go* with client-go's elector and the
// others with hotseat's. A client-go term has no token: it is recorded as the
// highest epoch on the Lease, which must not move meanwhile.
func mixed(t *testing.T) scenario.StartFunc {
	ours := hotseat(t)
	return func(ctx context.Context, s *scenario.Stage, c *scenario.Candidate) {
		if c.Name != "client-go" {
			ours(ctx, s, c)
			return
		}
		client := coordclient.NewForConfigOrDie(s.Config(c))
		done := make(chan struct{})
		var started atomic.Bool
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: scenario.Namespace, Name: scenario.Lease},
				Client:     client,
				LockConfig: resourcelock.ResourceLockConfig{Identity: c.Identity},
			},
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
			ReleaseOnCancel: s.Release,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					defer close(done)
					_ = c.Work(ctx, 0)
				},
				OnStoppedLeading: func() {},
				OnNewLeader:      func(id string) { started.CompareAndSwap(false, id == c.Identity) },
			},
		})
		if err != nil {
			t.Error(err)
			return
		}
		elector.Run(ctx)
		if started.Load() {
			<-done
		}
	}
}

// Taking turns in both directions: gracefully, and after a crash.
func TestTakingTurnsWithClientGo(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		name := "crash"
		if graceful {
			name = "graceful"
		}
		t.Run(name, func(t *testing.T) {
			playWith(t, scenario.Options{Release: graceful}, mixed, func(t *testing.T, s *scenario.Stage) {
				leave := func(c *scenario.Candidate) {
					if graceful {
						c.Stop()
					} else {
						s.Link(c.Name).BlackHole()
					}
				}
				scenario.Edit(s, func(l *coordv1.Lease) {
					l.Labels = map[string]string{"team": "billing"}
					l.Annotations = map[string]string{"example.com/note": "keep me"}
				})
				a := s.StartNamed("a")
				require.True(t, s.WaitTerms("a", 1, time.Second))
				peer := s.StartNamed("client-go")
				time.Sleep(7 * time.Second)
				leave(a)
				require.True(t, s.WaitTerms("client-go", 1, 25*time.Second))
				record := lease.NewRecord(s.Lease(scenario.Namespace, scenario.Lease))
				_, ok := record.Token()
				require.False(t, ok, "its term has no token")
				epoch, err := record.Epoch()
				require.NoError(t, err)
				require.Equal(t, s.TermsOf("a")[0].Token, epoch, "it left ours where it was")

				b := s.StartNamed("b")
				time.Sleep(30 * time.Second)
				require.Empty(t, s.TermsOf("b"), "not stolen from while it renews")
				leave(peer)
				require.True(t, s.WaitTerms("b", 1, bound))
				if graceful {
					require.LessOrEqual(t, s.TermsOf("b")[0].Started.Sub(s.TermsOf("client-go")[0].Return), 1100*time.Millisecond,
						"its release is waited on for the second it writes")
				}
				require.Greater(t, s.TermsOf("b")[0].Token, epoch)
				l := s.Lease(scenario.Namespace, scenario.Lease)
				require.Equal(t, "billing", l.Labels["team"])
				require.Equal(t, "keep me", l.Annotations["example.com/note"])
				require.EqualValues(t, 3, *l.Spec.LeaseTransitions, "counted as client-go counts")
				_ = b
			})
		})
	}
}

// hotseat and client-go contend for an hour while each in turn is asked to go.
func TestMixedFleetOverManyTurns(t *testing.T) {
	t.Parallel()
	playWith(t, scenario.Options{Release: true}, mixed, func(t *testing.T, s *scenario.Stage) {
		for range 20 {
			a, peer := s.StartNamed("a"), s.StartNamed("client-go")
			time.Sleep(time.Minute)
			require.Len(t, working(s), 1)
			if working(s)[0] == "a" {
				a.Stop()
			} else {
				peer.Stop()
			}
			time.Sleep(30 * time.Second)
			require.Len(t, working(s), 1)
			a.Stop()
			peer.Stop()
			<-a.Done()
			<-peer.Done()
		}
		highest := int64(0)
		for _, term := range s.TermsOf("a") {
			require.Greater(t, term.Token, highest)
			highest = term.Token
		}
		require.NotEmpty(t, s.TermsOf("client-go"))
		require.Greater(t, len(s.TermsOf("a")), 10)
	})
}
