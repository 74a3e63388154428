package singleton_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What has the shape of client-go's release says nothing of a term of ours that was
// there a moment ago.

func clientGoReleased(x *coordv1.Lease, at time.Time) {
	t, nobody, one := metav1.NewMicroTime(at), "", int32(1)
	x.Spec.RenewTime, x.Spec.AcquireTime = &t, &t
	x.Spec.HolderIdentity, x.Spec.LeaseDurationSeconds = &nobody, &one
}

// Two earlier records of client-go's are put back, while b missed the last renewals.
func TestClientGoRecordsPutBack(t *testing.T) {
	inWorldWith(t, func(w *world) { w.drain = 4 * second }, func(w *world) {
		stop := w.clientGo("x", true)
		sleep(3 * second)
		held := w.stored()
		stop()
		sleep(second)
		released := w.stored()
		w.start("a")
		sleep(20 * second)
		require.Equal(w, "a", w.who())
		w.start("b")
		sleep(5 * second)
		w.Link("b").Cut()
		sleep(16 * second)
		w.Link("a").BlackHole()
		w.putBack(held)
		w.Link("b").Heal()
		sleep(second)
		w.putBack(released)
		synctest.Wait()
		sleep(20 * second)
		require.Equal(w, "b", w.who())
	})
}

// One annotation is removed, then the holder is cleared in client-go's shape.
func TestTokenRemovedThenCleared(t *testing.T) {
	for _, key := range []string{"hotseat-go.github.io/fencing-epoch", "hotseat-go.github.io/fencing-holder"} {
		inWorldWith(t, func(w *world) { w.drain = 4 * second }, func(w *world) {
			w.start("a")
			sleep(5 * second)
			w.start("b")
			sleep(5 * second)
			w.Link("a").BlackHole()
			w.edit(func(x *coordv1.Lease) { delete(x.Annotations, key) })
			sleep(3 * second)
			w.edit(func(x *coordv1.Lease) { clientGoReleased(x, time.Now()) })
			sleep(30 * second)
			require.Equal(w, "b", w.who())
		})
	}
}

// All annotations are removed and the time is moved, as a renewal of client-go's.
func TestTokenRemovedAndRenewedThenCleared(t *testing.T) {
	for _, cut := range []bool{true, false} {
		inWorldWith(t, func(w *world) { w.drain = 4 * second }, func(w *world) {
			w.start("a")
			sleep(5 * second)
			w.start("b")
			sleep(5 * second)
			if cut {
				w.Link("a").BlackHole()
			}
			now := time.Now()
			w.edit(func(x *coordv1.Lease) {
				later := metav1.NewMicroTime(now.Add(second))
				x.Annotations, x.Spec.RenewTime = nil, &later
			})
			sleep(100 * time.Millisecond)
			w.edit(func(x *coordv1.Lease) { clientGoReleased(x, now.Add(2*second)) })
			sleep(30 * second)
			require.NotEmpty(w, w.who())
		})
	}
}

// Replicas that may not watch see a Lease that is gone again.
func TestMissingAgainWithoutAWatch(t *testing.T) {
	for _, all := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}} {
		inWorld(t, func(w *world) {
			w.DeleteLease("shop", "invoicer")
			for _, who := range all {
				w.Forbid(who, "watch")
				w.start(who)
			}
			sleep(20 * second)
			require.NotEmpty(w, w.who())
			w.DeleteLease("shop", "invoicer")
			w.ForgetRequests()
			sleep(40 * second)
			require.NotEmpty(w, w.who())
			require.LessOrEqual(w, w.CountRequests(""), 400*len(all), "and nobody is hammered")
		})
	}
}

// Cleared, and put back as it was at once: the holder goes on, as a new term.
func TestClearedAndPutBackAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		body := w.stored()
		w.times()
		w.edit(func(x *coordv1.Lease) { x.Spec, x.Annotations = coordv1.LeaseSpec{}, nil })
		w.edit(func(x *coordv1.Lease) { x.Spec, x.Annotations = body.Spec, body.Annotations })
		sleep(20 * second)
		nobody, _, _ := w.times()
		require.Less(w, nobody, second)
	})
}
