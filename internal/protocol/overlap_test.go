package protocol_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// Rule W2: renewals overlap. Each takes 6 s, one is sent each 2 s, and the term is
// never older than its RenewDeadline.
func TestRenewalsOverlap(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"slow to arrive": {Verbs: writes, DelayBefore: 6 * time.Second},
		"slow to answer": {Verbs: writes, DelayAfter: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				b.c.Link("a").Inject(fault)
				var renewals []<-chan result
				base := claim
				for i := range 20 {
					time.Sleep(2 * time.Second)
					if i%4 == 0 {
						b.label("edit")
					}
					renewals = append(renewals, b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Renew(ctx, base) }))
					select {
					case r := <-renewals[0]:
						renewals = renewals[1:]
						require.NoError(b, r.err)
						require.Equal(b, 6*time.Second, b.a.Clock.Since(r.claim.Sent))
						claim = claim.Acknowledged(r.claim, b.a.Clock.Now())
					default:
					}
					require.Positive(b, b.a.Clock.Until(claim.ValidUntil(b.a.Timing)))
				}
				for _, r := range renewals {
					require.NoError(b, (<-r).err)
				}
				b.holds(claim)
				require.Equal(b, 21, b.c.CountRequests("a", writes...), "no conflicts")
			})
		})
	}
}

// Whichever is answered first, what was sent last counts.
func TestRenewalsAnsweredOutOfOrder(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"slow to arrive": {Verbs: writes, Count: 1, DelayBefore: 6 * time.Second},
		"slow to answer": {Verbs: writes, Count: 1, DelayAfter: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				base := b.acquire(b.a)
				b.c.Link("a").Inject(fault)
				slow := b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Renew(ctx, base) })
				time.Sleep(2 * time.Second)
				second, err := b.a.Renew(b.Context(), base)
				require.NoError(b, err)
				first := <-slow
				require.NoError(b, first.err)
				require.Equal(b, 2*time.Second, second.Sent.Sub(first.claim.Sent))
				claim := base.Acknowledged(second, b.a.Clock.Now()).Acknowledged(first.claim, b.a.Clock.Now())
				require.Equal(b, second.Sent, claim.Sent)
				require.Equal(b, claim, base.Acknowledged(first.claim, b.a.Clock.Now()).Acknowledged(second, b.a.Clock.Now()))
				require.Equal(b, b.stored().ResourceVersion(), claim.Record.ResourceVersion(), "the newest of the store's is the base")
				require.NoError(b, b.a.Release(b.Context(), claim))
				require.True(b, b.stored().Released())
			})
		})
	}
}

// A renewal under way when the Lease is released lands nowhere.
func TestLateRenewalAfterARelease(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, DelayBefore: 3 * time.Second})
		late := b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Renew(ctx, claim) })
		require.NoError(b, b.a.Release(b.Context(), claim))
		free := b.stored()
		require.ErrorIs(b, (<-late).err, protocol.ErrLost)
		require.Equal(b, free.Lease(), b.stored().Lease())
	})
}

func TestAcknowledged(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		_, unwritten := b.claim(b.a)
		claim := b.acquire(b.a)
		require.Equal(b, claim.Sent, protocol.Claim{}.Acknowledged(claim, b.a.Clock.Now()).Sent)
		require.Equal(b, claim.Record, protocol.Claim{}.Acknowledged(claim, b.a.Clock.Now()).Record)
		require.Equal(b, claim.Sent, unwritten.Acknowledged(claim, b.a.Clock.Now()).Sent)
		require.Equal(b, claim.Record, unwritten.Acknowledged(claim, b.a.Clock.Now()).Record)
		require.Equal(b, claim.Sent, claim.Acknowledged(unwritten, b.a.Clock.Now()).Sent)
		rebased := claim.Rebase(b.stored())
		require.Equal(b, claim.Sent, rebased.Sent, "a look extends nothing")

		// A version that is lower counts only if the write was surely made later.
		time.Sleep(time.Second)
		learned := b.a.Clock.Now()
		time.Sleep(time.Second)
		lower := unwritten
		lower.Sent = learned
		require.Equal(b, claim.Record, claim.Acknowledged(lower, learned).Record)
		lower.Sent = b.a.Clock.Now()
		require.Equal(b, lower.Record, claim.Acknowledged(lower, learned).Record)
	})
}

// Rule W5: renewTime always moves, so a renewal is seen also if the wall clock stands.
func TestRenewTimeAlwaysMoves(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		began := time.Now()
		last := b.stored().RenewTime()
		moved := func() {
			b.Helper()
			now := b.stored().RenewTime()
			require.NotEqual(b, now, last)
			last = now
		}
		var err error
		for range 5 { // no time passes
			claim, err = b.a.Renew(b.Context(), claim)
			require.NoError(b, err)
			moved()
		}
		claim, err = b.a.Raise(b.Context(), claim, 5000)
		require.NoError(b, err)
		moved()
		require.NoError(b, b.a.Release(b.Context(), claim))
		moved()
		second := b.acquire(b.b) // another process, at the same time
		moved()
		require.NoError(b, b.b.Release(b.Context(), second))
		moved()
		require.Equal(b, began, time.Now())
		require.Less(b, last.Sub(began), time.Millisecond)
	})
	inBed(t, apiserver.Options{}, func(b *bed) { // the clock went back, or a hand wrote a far time
		b.ship()
		claim := b.acquire(b.a)
		last := time.Now().Add(24 * time.Hour)
		b.edit(func(l *coordv1.Lease) { l.Spec.RenewTime.Time = last })
		claim = claim.Rebase(b.stored())
		for range 3 {
			time.Sleep(2 * time.Second)
			var err error
			claim, err = b.a.Renew(b.Context(), claim)
			require.NoError(b, err)
			require.NotEqual(b, b.stored().RenewTime().Unix(), last.Unix(), "client-go sees seconds only")
			last = b.stored().RenewTime()
		}
		second := b.acquire(b.b)
		require.NotEqual(b, b.stored().RenewTime(), last)
		last = b.stored().RenewTime()
		require.NoError(b, b.b.Release(b.Context(), second))
		require.True(b, b.stored().Released())
		require.True(b, b.stored().RenewTime().After(last))
	})
}
