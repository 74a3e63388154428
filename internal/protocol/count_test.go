package protocol_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// What an answer proves, and from when on.

func TestRenewalCountsFromSending(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, DelayAfter: 2 * time.Second})
		sent := b.a.Clock.Now()
		next, err := b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Equal(b, 2*time.Second, b.a.Clock.Since(sent), "answered late")
		require.Zero(b, next.Sent.Sub(sent))
	})
}

// So do the other writes of a term.
func TestEveryWriteCountsFromSending(t *testing.T) {
	for name, write := range map[string]func(b *bed, from protocol.Record, c protocol.Claim) (protocol.Claim, error){
		"take": func(b *bed, _ protocol.Record, _ protocol.Claim) (protocol.Claim, error) { return b.take(b.a) },
		"ensure": func(b *bed, from protocol.Record, c protocol.Claim) (protocol.Claim, error) {
			return b.a.Ensure(b.Context(), from, c)
		},
		"raise": func(b *bed, _ protocol.Record, c protocol.Claim) (protocol.Claim, error) {
			return b.a.Raise(b.Context(), c, 700)
		},
		"repair": func(b *bed, _ protocol.Record, c protocol.Claim) (protocol.Claim, error) {
			b.edit(func(l *coordv1.Lease) { l.Annotations = nil }) // the first is refused
			return b.a.Renew(b.Context(), c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				from := b.stored()
				claim := b.acquire(b.a)
				b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, DelayAfter: 2 * time.Second})
				next, err := write(b, from, claim)
				require.NoError(b, err)
				require.Equal(b, 2*time.Second, b.a.Clock.Since(next.Sent))
			})
		})
	}
}

// What a List shows may be as young as its answer.
func TestWaitCountsFromTheAnswer(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		b.acquire(b.a)
		b.c.Link("b").Inject(apiserver.Fault{Verbs: []string{"list", "get"}, DelayBefore: 2 * time.Second})
		o := b.list(b.b)
		require.Equal(b, 2*time.Second, o.At.Sub(o.Asked), "answered late")
		v := protocol.View{}.Observe(o, 15*time.Second)
		require.Equal(b, 15*time.Second, v.FreeAt().Sub(o.At))
	})
}

// The times on a Lease are another machine's.
func TestWaitDoesNotCountByWallClocks(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		inBed(t, apiserver.Options{}, func(b *bed) {
			b.ship()
			b.acquire(b.a)
			b.edit(func(l *coordv1.Lease) { l.Spec.RenewTime.Time = time.Now().Add(skew) })
			o := b.list(b.b)
			v := protocol.View{}.Observe(o, 15*time.Second)
			require.Equal(b, 15*time.Second, v.FreeAt().Sub(o.At), "renewed %v from now", skew)
		})
	}
}

// Without a UID in it, the update of a Lease that is gone would create it.
func TestRenewalOfADeletedLeaseCreatesNothing(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.DeleteLease(ns, name)
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, protocol.ErrLost)
		require.False(b, b.stored().Exists())
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // by update, where patch is refused
		b.ship()
		claim := b.acquire(b.a)
		b.c.Forbid("a", "patch")
		b.c.DeleteLease(ns, name)
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, protocol.ErrLost)
		require.False(b, b.stored().Exists())
	})
}

func TestRaiseStopsAtAnEpochRaisedByHand(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "500" })
		_, err := b.a.Raise(b.Context(), claim, 800)
		require.ErrorIs(b, err, protocol.ErrLost, "also with a number above it")
		epoch, err := b.stored().Epoch()
		require.NoError(b, err)
		require.EqualValues(b, 500, epoch)
	})
}

// An acquire over an earlier term of one's own whose request is lost: the Lease
// carries one's own name, but not the term that was to begin.
func TestEarlierTermIsNotAdopted(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		earlier := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseRequest: true})
		_, err := b.take(b.a)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.Equal(b, earlier.Record.Lease(), b.stored().Lease(), "nothing was written")
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // refused, since it was edited meanwhile
		b.ship()
		earlier := b.acquire(b.a)
		from, claim := b.claim(b.a)
		b.label("x")
		got, err := b.a.Take(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.True(b, got.Sent.IsZero())
		require.Equal(b, earlier.Token.Term, b.stored().Term())
	})
}

// Edits that keep a write from landing are met a few times, then left to the
// caller, who knows how to wait.
func TestRewritesEnd(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		edits := 0
		b.c.Link("a").Inject(apiserver.Fault{
			Verbs: writes, Count: 100, Status: http.StatusConflict,
			Then: func() {
				edits++
				b.edit(func(l *coordv1.Lease) { l.Labels = map[string]string{"edit": strconv.Itoa(edits)} })
			},
		})
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.Equal(b, 5, edits)
		require.ErrorIs(b, b.a.Release(b.Context(), claim), lease.ErrConflict)
		require.Equal(b, 10, edits)
	})
}

// After a restore with a bumped revision the store's version is above every
// term there was; the restored object's is not.
func TestEpochIsAboveWhatARestoreForgot(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
		backup := b.c.Snapshot()
		o := b.list(b.a)
		forgotten, err := b.a.Claim(o, protocol.EpochInputs{Floor: 50})
		require.NoError(b, err)
		forgotten, err = b.a.Take(b.Context(), o.Record, forgotten)
		require.NoError(b, err)
		b.c.Restore(backup, true)
		require.Greater(b, b.acquire(b.a).Token.Epoch, forgotten.Token.Epoch)

		// So also for one who looks at the store itself, by a GET.
		b.c.Restore(backup, true)
		o, err = b.b.Confirm(b.Context())
		require.NoError(b, err)
		v := protocol.View{}.Observe(o, 15*time.Second)
		claim, err := b.b.Claim(o, protocol.EpochInputs{ResourceVersion: v.Newest()})
		require.NoError(b, err)
		require.Greater(b, claim.Token.Epoch, forgotten.Token.Epoch)
	})
}

// Released, deleted, and restored as it was: a whole term may have come between.
func TestRestoredReleaseProvesNothing(t *testing.T) {
	const l = 15 * time.Second
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
		var v protocol.View
		look := func() {
			time.Sleep(time.Second)
			v = v.Observe(b.list(b.b), l)
		}
		look()
		b.prove(b.b, &v)
		require.Equal(b, protocol.Acquire, protocol.DecideNow(v, b.b.Clock.Now(), true).Action)
		backup := b.c.Snapshot()
		b.c.DeleteLease(ns, name)
		look()
		b.c.Restore(backup, false)
		look()
		require.True(b, v.Record().Released())
		b.prove(b.b, &v)
		require.Equal(b, l, v.FreeAt().Sub(b.b.Clock.Now()))
	})
}
