package main

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Tests that mutants showed to be missing in packages lease and singleton.

func inBed(t *testing.T, f func(t *testing.T, c *singletontest.Cluster, lock *lease.Lock, claim lease.Claim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{})
		defer c.Close()
		_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
		require.NoError(t, err)
		lock := lease.NewLock(slow{c.Client("a").CoordinationV1().Leases("shop"), 2 * time.Second}, lease.Options{
			Namespace: "shop", Name: "invoicer", Identity: "a", Timing: lease.Timing{}.WithDefaults(),
		})
		o, err := lock.List(t.Context())
		require.NoError(t, err)
		claim, err := lock.Acquire(t.Context(), o, lease.EpochInputs{})
		require.NoError(t, err)
		f(t, c, lock, claim)
	})
}

// slow is a client whose answers to updates take a while.
type slow struct {
	coordclient.LeaseInterface
	delay time.Duration
}

func (s slow) Update(ctx context.Context, l *coordv1.Lease, o metav1.UpdateOptions) (*coordv1.Lease, error) {
	stored, err := s.LeaseInterface.Update(ctx, l, o)
	time.Sleep(s.delay)
	return stored, err
}

func TestGapRenewalCountsFromSending(t *testing.T) {
	inBed(t, func(t *testing.T, _ *singletontest.Cluster, lock *lease.Lock, claim lease.Claim) {
		sent := lock.Clock.Now()
		next, err := lock.Renew(t.Context(), claim)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, lock.Clock.Since(sent), "answered late")
		require.Zero(t, next.Sent.Sub(sent), "validity counts from the sending")
	})
}

func TestGapRaiseOverAFence(t *testing.T) {
	inBed(t, func(t *testing.T, c *singletontest.Cluster, lock *lease.Lock, claim lease.Claim) {
		require.NoError(t, c.EditLease("shop", "invoicer", func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "500" }))
		_, err := lock.Raise(t.Context(), claim, 800)
		require.ErrorIs(t, err, lease.ErrLost, "a raise above the operator's fence must not undo it")
		epoch, err := lease.NewRecord(c.Lease("shop", "invoicer")).Epoch()
		require.NoError(t, err)
		require.EqualValues(t, 500, epoch)
	})
}

func TestGapRenewalOfADeletedLease(t *testing.T) {
	inBed(t, func(t *testing.T, c *singletontest.Cluster, lock *lease.Lock, claim lease.Claim) {
		c.DeleteLease("shop", "invoicer")
		_, err := lock.Renew(t.Context(), claim)
		require.ErrorIs(t, err, lease.ErrLost)
		require.Nil(t, c.Lease("shop", "invoicer"), "a renewal creates nothing")
	})
}

func TestGapEpochAfterBumpedRestore(t *testing.T) {
	inBed(t, func(t *testing.T, c *singletontest.Cluster, lock *lease.Lock, claim lease.Claim) {
		require.NoError(t, lock.Release(t.Context(), claim))
		backup := c.Snapshot()
		o, err := lock.List(t.Context())
		require.NoError(t, err)
		later, err := lock.Acquire(t.Context(), o, lease.EpochInputs{Floor: 50})
		require.NoError(t, err)
		c.Restore(backup, true)
		o, err = lock.List(t.Context())
		require.NoError(t, err)
		next, err := lock.Acquire(t.Context(), o, lease.EpochInputs{})
		require.NoError(t, err)
		require.Greater(t, next.Token.Epoch, later.Token.Epoch, "the List's version, not the old object's")
	})
}

// Released, deleted, and restored as it was: a whole term may have come between.
func TestGapRestoredRelease(t *testing.T) {
	inBed(t, func(t *testing.T, c *singletontest.Cluster, lock *lease.Lock, claim lease.Claim) {
		const l = 15 * time.Second
		require.NoError(t, lock.Release(t.Context(), claim))
		var v lease.View
		look := func() {
			time.Sleep(time.Second)
			o, err := lock.List(t.Context())
			require.NoError(t, err)
			v = v.Observe(o, l)
		}
		look()
		require.Equal(t, lease.Acquire, lease.Decide(v, lock.Clock.Now(), true).Action)
		backup := c.Snapshot()
		c.DeleteLease("shop", "invoicer")
		look()
		c.Restore(backup, false)
		look()
		require.True(t, v.Record().Released())
		require.Equal(t, l, v.FreeAt().Sub(lock.Clock.Now()), "it proves nothing any more")
	})
}

func TestGapWaitCountsFromTheAnswer(t *testing.T) {
	inBed(t, func(t *testing.T, _ *singletontest.Cluster, lock *lease.Lock, _ lease.Claim) {
		o, err := lock.List(t.Context())
		require.NoError(t, err)
		o.At = o.Asked.Add(2 * time.Second) // answered late: what it shows may be as young as the answer
		v := lease.View{}.Observe(o, 15*time.Second)
		require.Equal(t, 15*time.Second, v.FreeAt().Sub(o.At))
	})
}

func TestGapTermExtendsFromSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{})
		defer c.Close()
		_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
		require.NoError(t, err)
		c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update"}, Skip: 1, DelayAfter: 2 * time.Second})
		e, err := singleton.New(c.Client("a"), singleton.Config{
			Name: "invoicer", Namespace: "shop", Identity: "a", Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- e.Run(ctx, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil })
		}()
		synctest.Wait()
		time.Sleep(4 * time.Second) // renewed at 2 s, answered now; the next is on its way
		synctest.Wait()
		left := e.Status().ValidFor
		cancel()
		require.NoError(t, <-done)
		require.Equal(t, 8*time.Second, left)
	})
}
