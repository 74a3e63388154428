package singleton_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Each test here is an exception to "one at a time" that internal/docs/guide/guarantees.md
// lists: two replicas are at work. A test that fails says that the guide promises less than it could.

// crew counts the replicas that are at work.
type crew struct{ working, most atomic.Int32 }

func (c *crew) work(ctx context.Context, _ *singleton.Term) error {
	c.most.Store(max(c.most.Load(), c.working.Add(1)))
	<-ctx.Done()
	c.working.Add(-1)
	return context.Cause(ctx)
}

// twoAtWork demands that two are within that time.
func (c *crew) twoAtWork(l lab, within time.Duration) {
	l.Helper()
	for range within / (100 * time.Millisecond) {
		sleep(100 * time.Millisecond)
		if c.most.Load() == 2 {
			return
		}
	}
	require.Fail(l, "one at a time", "the exception is none any more: take it from the list in internal/docs/guide/guarantees.md")
}

// A Lease is deleted and shipped anew while its holder is cut off. A process that
// never saw the term takes it at once: it cannot tell it from a first install.
func TestExceptionShippedAnewBesideANewProcess(t *testing.T) {
	inLab(t, func(l lab) {
		c := &crew{}
		l.run(l.elector("a"), c.work)
		sleep(5 * second)
		l.Link("a").BlackHole()
		l.DeleteLease("shop", "invoicer")
		_, err := l.CreateLease(newLease())
		require.NoError(l, err)
		l.run(l.elector("b"), c.work)
		c.twoAtWork(l, second)
	})
}

// A backup is put back that ends where a standby last saw the Lease. The renewals
// since then were made while the standby was cut off, and nothing tells of them.
func TestExceptionRestoredBesideAStandbyThatWasBehind(t *testing.T) {
	inLab(t, func(l lab) {
		c := &crew{}
		l.run(l.elector("a"), c.work)
		l.run(l.elector("b"), c.work)
		sleep(4500 * time.Millisecond)
		backup := l.Snapshot()
		l.Link("b").Cut()
		sleep(8 * second)
		l.Link("a").BlackHole()
		l.Restore(backup, true)
		l.Link("b").Heal()
		c.twoAtWork(l, 15*second)
	})
}

// client-go's elector takes a Lease that is missing without waiting for anybody.
func TestExceptionClientGoTakesADeletedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scenario.New(scenario.Options{}, mixed(t))
		defer s.Close()
		s.StartNamed("a")
		require.True(t, s.WaitTerms("a", 1, time.Second))
		s.StartNamed("client-go")
		time.Sleep(5 * time.Second)
		s.Link("a").BlackHole()
		s.DeleteLease(scenario.Namespace, scenario.Lease)
		require.True(t, s.WaitTerms("client-go", 1, 5*time.Second))
		require.Positive(t, s.Overlap(true))
	})
}

// Where a standby has been shown the longer duration, an edit that looks like a renewal
// shortens nothing.
func TestShortenedUnderATermThatWasShown(t *testing.T) {
	for _, more := range []func(*coordv1.Lease){func(*coordv1.Lease) {}, raised} {
		someWay(t, shared, func(w *world) {
			w.start("a", func(c *singleton.Config) { c.Timing.LeaseDuration, c.Timing.RenewDeadline = 60*second, 45*second })
			w.start("b")
			sleep(10 * second)
			w.Link("a").BlackHole()
			w.edit(func(x *coordv1.Lease) {
				x.Spec.LeaseDurationSeconds = new(int32(15))
				x.Spec.RenewTime.Time = x.Spec.RenewTime.Add(second)
				more(x)
			})
			sleep(58 * second)
			require.Equal(w, []string{"a"}, w.started())
			sleep(10 * second)
			require.Equal(w, "b", w.who())
		})
	}
}

// A holder has a longer LeaseDuration than a new process, and an edit shortens the
// one that is written. Nothing tells the new process of the holder's.
func TestExceptionShortenedDurationBesideAShorterLeaseDuration(t *testing.T) {
	inLab(t, func(l lab) {
		c := &crew{}
		l.run(l.elector("a", func(c *singleton.Config) {
			c.Timing.LeaseDuration, c.Timing.RenewDeadline = time.Minute, 45*time.Second
		}), c.work)
		sleep(5 * second)
		l.Link("a").BlackHole()
		l.edit(func(x *coordv1.Lease) { second := int32(1); x.Spec.LeaseDurationSeconds = &second })
		l.run(l.elector("b"), c.work)
		c.twoAtWork(l, 16*second)
	})
}

// An edit has the very shape of the holder's release, and names the version that it
// replaces.
func TestExceptionForgedRelease(t *testing.T) {
	inLab(t, func(l lab) {
		c := &crew{}
		l.run(l.elector("a"), c.work)
		l.run(l.elector("b"), c.work)
		sleep(5 * second)
		l.Link("a").BlackHole()
		l.edit(func(x *coordv1.Lease) {
			nobody, now := "", metav1.NewMicroTime(time.Now())
			x.Spec.HolderIdentity, x.Spec.RenewTime = &nobody, &now
			x.Annotations[lease.AnnotationReleased] = now.UTC().Format(metav1.RFC3339Micro) + " after " + x.ResourceVersion
		})
		c.twoAtWork(l, second)
	})
}
