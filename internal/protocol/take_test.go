package protocol_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// A lost answer proves nothing; the term's id proves whose it is, and only an
// acknowledged write counts, from its own sending.
func TestAcquireWhoseAnswerIsLost(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		fault    apiserver.Fault
		happens  bool          // the first write
		answered time.Duration // how long the first call takes
		writes   int           // served until the second call has ended
	}{
		"answer lost":   {apiserver.Fault{LoseAnswer: true}, true, 0, 2},
		"answer hangs":  {apiserver.Fault{HangAnswer: true}, true, 10 * second, 2},
		"request lost":  {apiserver.Fault{LoseRequest: true}, false, 0, 2},
		"request hangs": {apiserver.Fault{HangRequest: true}, false, 10 * second, 2},
		"500":           {apiserver.Fault{Status: http.StatusInternalServerError}, false, 0, 3},
		"503":           {apiserver.Fault{Status: http.StatusServiceUnavailable}, false, 0, 3},
		"429":           {apiserver.Fault{Status: http.StatusTooManyRequests}, false, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				from, claim := b.claim(b.a)
				test.fault.Verbs, test.fault.Count = writes, 1
				b.c.Link("a").Inject(test.fault)
				began := b.a.Clock.Now()
				first := b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Take(ctx, from, claim) })
				require.Equal(b, test.happens, b.stored().Holder() == "a")
				time.Sleep(2 * second)
				got, err := b.a.Ensure(b.Context(), from, claim)
				require.NoError(b, err)
				require.Equal(b, claim.Token, got.Token)
				b.holds(got)
				require.Equal(b, 2*second, got.Sent.Sub(began), "validity counts from the second")
				require.Equal(b, test.writes, b.c.CountRequests("a", writes...))
				require.EqualValues(b, 1, b.stored().Transitions())

				lost := <-first
				require.ErrorIs(b, lost.err, lease.ErrUnavailable)
				require.True(b, lost.claim.Sent.IsZero())
				require.Equal(b, max(2*second, test.answered), b.a.Clock.Since(began))
			})
		})
	}
}

// A first write that arrives after the second was made is no second acquire.
func TestAcquireThatArrivesLate(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, DelayBefore: 3 * time.Second})
		first := b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Take(ctx, from, claim) })
		time.Sleep(2 * time.Second)
		got, err := b.a.Ensure(b.Context(), from, claim)
		require.NoError(b, err)
		late := <-first
		require.NoError(b, late.err, "it was refused; the Lease shows its own term, which it renews")
		require.Equal(b, claim.Token, late.claim.Token)
		require.Equal(b, time.Second, late.claim.Sent.Sub(got.Sent), "by a write of its own")
		b.holds(got.Acknowledged(late.claim, b.a.Clock.Now()))
	})
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, DelayBefore: 3 * time.Second})
		first := b.beside(func(ctx context.Context) (protocol.Claim, error) { return b.a.Take(ctx, from, claim) })
		b.acquire(b.b)
		late := <-first
		require.ErrorIs(b, late.err, lease.ErrConflict)
		require.True(b, late.claim.Sent.IsZero())
		require.Equal(b, "b", b.stored().Holder())
		_, err := b.a.Ensure(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrConflict, "whoever was faster stays")
		require.Equal(b, "b", b.stored().Holder())
	})
}

// Rule A3: a client that sends a request again by itself conflicts with itself.
func TestAcquireConflictsWithItself(t *testing.T) {
	for name, code := range map[string]int{"503": http.StatusServiceUnavailable, "429": http.StatusTooManyRequests} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				twice := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
					got, err := pass.RoundTrip(r)
					if r.Method == http.MethodPatch && err == nil && b.c.CountRequests("a", "patch") == 1 {
						_ = got.Body.Close()
						got = answer(r, code, "{}")
						got.Header.Set("Retry-After", "1")
					}
					return got, err
				})
				claim := b.acquire(twice)
				b.holds(claim)
				require.EqualValues(b, 1, b.stored().Transitions())
				b.holdsFrom(claim, time.Second)
			})
		})
	}
}

// holdsFrom requires that c counts from so long after its own first write.
func (b *bed) holdsFrom(c protocol.Claim, after time.Duration) {
	b.Helper()
	require.Equal(b, after, b.stored().RenewTime().Sub(b.stored().AcquireTime()).Truncate(time.Millisecond))
	require.Zero(b, b.a.Clock.Since(c.Sent))
}

// An epoch raised by an operator that falls between the lost answer and the look is kept.
func TestFencedAcquireIsNotAdopted(t *testing.T) {
	for name, again := range map[string]func(*protocol.Lock, context.Context, protocol.Record, protocol.Claim) (protocol.Claim, error){
		"take": (*protocol.Lock).Take, "ensure": (*protocol.Lock).Ensure,
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				from, claim := b.claim(b.a)
				b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseAnswer: true, Then: func() {
					b.annotate(lease.AnnotationEpoch, "900")
				}})
				_, err := b.a.Take(b.Context(), from, claim)
				require.ErrorIs(b, err, lease.ErrUnavailable)
				got, err := again(b.a, b.Context(), from, claim)
				require.Error(b, err, "%+v", got.Token)
				require.EqualValues(b, 900, b.epoch())
			})
		})
	}
}

// Annotations that were removed between the lost answer and the look are repaired.
func TestEditedAcquireIsAdopted(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseAnswer: true, Then: func() {
			b.edit(func(l *coordv1.Lease) { l.Annotations = nil })
		}})
		_, err := b.a.Take(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		got, err := b.a.Ensure(b.Context(), from, claim)
		require.NoError(b, err)
		b.holds(got)
	})
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.label("edited")
		_, err := b.a.Take(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrConflict, "before it arrived: that is another record")
		require.Empty(b, b.stored().Holder())
	})
}

// Writes arrive, answers do not: no call ever gives a term that counts.
func TestAcquireUnheard(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, LoseAnswer: true})
		got, err := b.a.Take(b.Context(), from, claim)
		for range 4 {
			require.ErrorIs(b, err, lease.ErrUnavailable)
			require.True(b, got.Sent.IsZero())
			require.Equal(b, "a", b.stored().Holder())
			time.Sleep(time.Second)
			got, err = b.a.Ensure(b.Context(), from, claim)
		}
	})
}

// An answer that comes when its validity is over is told with its sending.
func TestAcquireAcknowledgedTooLate(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, DelayAfter: 10*time.Second - 1})
		sent := b.a.Clock.Now()
		got, err := b.a.Take(b.Context(), from, claim)
		require.NoError(b, err)
		require.Zero(b, got.Sent.Sub(sent))
		require.Equal(b, time.Duration(1), b.a.Clock.Until(got.ValidUntil(b.a.Timing)))
	})
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, claim := b.claim(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, DelayAfter: 11 * time.Second})
		began := b.a.Clock.Now()
		got, err := b.a.Take(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.True(b, got.Sent.IsZero())
		require.Equal(b, 10*time.Second, b.a.Clock.Since(began), "nothing is waited for beyond its use")
		require.Equal(b, "a", b.stored().Holder(), "it happened all the same")
		synctest.Wait()
	})
}

// A LIST that is answered late may show who has taken the Lease since the GET.
func TestConfirmAsksAgain(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(b *bed)
		held      bool
	}{
		"taken":   {func(b *bed) { b.acquire(b.b) }, true},
		"deleted": {func(b *bed) { b.c.DeleteLease("shop", "invoicer") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"list"}, Count: 1, HangAnswer: true})
				var o protocol.Observation
				confirmed := b.beside(func(ctx context.Context) (_ protocol.Claim, err error) {
					o, err = b.a.Confirm(ctx)
					return protocol.Claim{}, err
				})
				time.Sleep(time.Second)
				test.meanwhile(b)
				require.NoError(b, (<-confirmed).err)
				require.Equal(b, test.held, o.Record.Exists())
				require.Equal(b, b.stored().Holder(), o.Record.Holder())
			})
		})
	}
}
