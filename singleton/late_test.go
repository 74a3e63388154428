package singleton_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// What comes late: answers, guards and hooks.

func TestTermExtendsFromSending(t *testing.T) {
	inLab(t, func(l lab) {
		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Skip: 1, DelayAfter: 2 * second})
		e := l.elector("a")
		l.run(e, idle)
		sleep(4 * second) // renewed at 2 s, answered now
		require.Equal(l, 8*second, e.Status().ValidFor)
	})
}

// Only acknowledged writes prove that the term was ours at a time.
func TestEventsExtendNothing(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		l.run(e, idle)
		sleep(second)
		l.edit(func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "a"} })
		require.Equal(l, 9*second, e.Status().ValidFor)
	})
}

func takenByX(x *coordv1.Lease) {
	other := "x"
	x.Spec.HolderIdentity = &other
}

// A term that is lost while a guard takes its time, and does not listen to its
// context, has not begun for anybody.
func TestLostWhileAnnouncing(t *testing.T) {
	inLab(t, func(l lab) {
		block := make(chan struct{})
		guard := guardFunc{memory(l), func(context.Context, fencing.Token) error { <-block; return nil }}
		told := 0
		a := l.elector("a", fenced(func(c *singleton.Config) {
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { told++ }
			c.Hooks.OnLose = func(*singleton.Term, error) { told++ }
		}, guard))
		worked := false
		l.run(a, func(context.Context, *singleton.Term) error { worked = true; return nil })
		require.Equal(l, singleton.StateActive, a.Status().State)
		l.edit(takenByX)
		require.Equal(l, singleton.StateDraining, a.Status().State)
		close(block)
		sleep(second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.Zero(l, told)
		require.False(l, worked)
	})
}

// A term that is lost inside OnAcquire ends with OnLose, and without work.
func TestLostInsideOnAcquire(t *testing.T) {
	inLab(t, func(l lab) {
		block := make(chan struct{})
		var losses []error
		a := l.elector("a", func(c *singleton.Config) {
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { <-block }
			c.Hooks.OnLose = func(_ *singleton.Term, cause error) { losses = append(losses, cause) }
		})
		worked := false
		l.run(a, func(context.Context, *singleton.Term) error { worked = true; return nil })
		l.edit(takenByX)
		close(block)
		sleep(second)
		require.False(l, worked)
		require.Len(l, losses, 1)
		require.ErrorIs(l, losses[0], singleton.ErrLost)
	})
}

// A guard that hangs does not keep the Lease from everybody.
func TestHangingGuardGivesTheLeaseUp(t *testing.T) {
	inLab(t, func(l lab) {
		guard := guardFunc{memory(l), func(ctx context.Context, _ fencing.Token) error { <-ctx.Done(); return ctx.Err() }}
		a, b := l.elector("a", fenced(nil, guard)), l.elector("b")
		l.run(a, idle)
		l.run(b, idle)
		require.Equal(l, singleton.StateActive, a.Status().State)
		sleep(11 * second) // RenewDeadline and a little
		require.Equal(l, singleton.StateActive, b.Status().State)
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "unavailable"))
	})
}

// Work that drains for longer than its term would have been valid has no right
// to the Lease any more that was deleted under it: others may have begun.
func TestDeletedLeaseIsNotTakenTooLate(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, drains(12*second)) // RenewDeadline is 10 s
		l.DeleteLease("shop", "invoicer")
		sleep(14 * second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.Empty(l, l.record().Holder())
		sleep(20 * second)
		require.Equal(l, singleton.StateActive, a.Status().State, "like anybody, a lease after")
	})
}

// drains is work that takes so long to return.
func drains(d time.Duration) singleton.Work {
	return func(ctx context.Context, _ *singleton.Term) error {
		<-ctx.Done()
		time.Sleep(d)
		return context.Cause(ctx)
	}
}

// A restore brought the deleted Lease back, unheld, and a new process took it. That
// it is deleted again is that one's loss: who lost the first has no right to it.
func TestDeletedLeaseOfASuccessor(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		l.run(a, drains(4*second))
		l.DeleteLease("shop", "invoicer")
		sleep(10 * time.Millisecond) // told of, and not created yet
		_, err := l.CreateLease(newLease())
		require.NoError(l, err)
		l.run(b, drains(8*second))
		sleep(second)
		require.Equal(l, singleton.StateDraining, a.Status().State)
		require.Equal(l, singleton.StateActive, b.Status().State, "one that knows nothing")
		l.DeleteLease("shop", "invoicer")
		sleep(6 * second)
		require.Equal(l, singleton.StateStandby, a.Status().State)
		require.Equal(l, singleton.StateDraining, b.Status().State)
		sleep(3 * second)
		require.Equal(l, singleton.StateActive, b.Status().State, "its own")
	})
}

// Who has just resigned stands back, but the wait for a missing Lease is everybody's.
func TestWhoResignedCreatesTheMissingLease(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, idle)
		a.Resign()
		sleep(100 * time.Millisecond)
		l.DeleteLease("shop", "invoicer")
		sleep(500 * time.Millisecond)
		require.True(l, l.record().Exists())
		require.Equal(l, singleton.StateStandby, a.Status().State)
	})
}

// A List that was made to act on is old when the replica may act at last.
func TestEligibleLooksAgain(t *testing.T) {
	inLab(t, func(l lab) {
		l.edit(takenByX)
		a := l.elector("a")
		l.run(a, idle)
		remove := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"list", "get"}, DelayAfter: second})
		sleep(13 * second)
		l.edit(func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "a"} }) // it is not to look for silence's sake
		sleep(2500 * time.Millisecond)                                               // it confirms that x has not renewed
		a.SetEligible(false)
		sleep(20 * second)
		remove()
		l.ForgetRequests()
		require.Equal(l, singleton.StateStandby, a.Status().State)
		a.SetEligible(true)
		sleep(second)
		require.Equal(l, singleton.StateActive, a.Status().State)
		require.Equal(l, 1, l.CountRequests("a", "list"))
	})
}

// net/http sends a request again whose connection broke before an answer. So a List can be
// sent before a restore and answered after it; what was seen meanwhile counts before its answer.
func TestListThatOutlastsARestore(t *testing.T) {
	for name, share := range map[string]bool{"its own watch": false, "a shared one": true} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				claim := func(holder string, epoch int) {
					l.edit(func(x *coordv1.Lease) {
						now, seconds := metav1.NewMicroTime(time.Now()), int32(15)
						x.Annotations = map[string]string{
							lease.AnnotationEpoch: strconv.Itoa(epoch), lease.AnnotationTerm: fmt.Sprintf("%032x", epoch),
						}
						x.Spec.HolderIdentity, x.Spec.RenewTime, x.Spec.AcquireTime, x.Spec.LeaseDurationSeconds = &holder, &now, &now, &seconds
					})
				}
				client := l.clientThrough("a", func(next http.RoundTripper) http.RoundTripper { return again{next} })
				c := singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: "a"}, Logger: quiet()}
				if share {
					c.Replica.SharedWatch = singleton.NewSharedWatch(client, "shop", quiet())
				}
				a, err := singleton.New(client, c)
				require.NoError(l, err)
				claim("x", 1)
				l.run(a, idle)
				sleep(second)
				before := l.Snapshot()
				sleep(13 * second)
				l.Link("a").Inject(apiserver.Fault{Verbs: []string{"list", "get"}, Count: 2, DelayBefore: second})
				sleep(1500 * time.Millisecond) // it asks whether x has renewed
				claim("y", 2)
				l.Restore(before, false)
				sleep(14 * second)
				require.Equal(l, singleton.StateStandby, a.Status().State, "y may be at work")
				sleep(3 * second)
				require.Equal(l, singleton.StateActive, a.Status().State)
				token, _ := l.record().Token()
				require.Greater(l, token.Epoch, int64(2))
			})
		})
	}
}

// again sends a GET again whose connection broke.
type again struct{ next http.RoundTripper }

func (a again) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.next.RoundTrip(r)
	if err != nil && r.Method == http.MethodGet && r.Context().Err() == nil {
		return a.next.RoundTrip(r)
	}
	return answer, err
}

// One whose writes arrive but are never answered lets others go first, also
// slower ones.
func TestUnheardReplicaLetsOthersGoFirst(t *testing.T) {
	inLab(t, func(l lab) {
		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, LoseAnswer: true})
		a, b := l.elector("a"), l.elector("b")
		l.run(a, idle)
		require.Equal(l, a.Identity(), l.record().Holder())
		l.Link("b").Inject(apiserver.Fault{DelayBefore: 20 * time.Millisecond})
		l.run(b, idle)
		sleep(28 * second) // RenewDeadline and RetryPeriod, then LeaseDuration
		require.Equal(l, singleton.StateActive, b.Status().State)
	})
}
