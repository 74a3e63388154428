package protocol_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

func TestRaise(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.edit(func(l *coordv1.Lease) { l.Labels = map[string]string{"team": "a"} })
		before := b.c.CountRequests("a", "get") + b.c.CountRequests("a", "patch")
		raised, err := b.a.Raise(b.Context(), claim, 800)
		require.NoError(b, err)
		require.Equal(b, before+1, b.c.CountRequests("a", "get")+b.c.CountRequests("a", "patch"), "of whatever version the Lease is")
		require.EqualValues(b, 801, raised.Token.Epoch)
		require.Equal(b, claim.Token.Term, raised.Token.Term)
		token, _ := b.stored().Token()
		require.Equal(b, raised.Token, token)

		_, err = b.a.Raise(b.Context(), raised, 700)
		require.ErrorContains(b, err, "mark 700 must not be below the term's epoch 801")
		for _, mark := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2} {
			_, err = b.a.Raise(b.Context(), raised, mark)
			require.ErrorIs(b, err, lease.ErrEpochExhausted)
		}
		token, _ = b.stored().Token()
		require.EqualValues(b, 801, token.Epoch)

		b.c.Link("a").Cut()
		_, err = b.a.Raise(b.Context(), raised, 900)
		require.ErrorIs(b, err, lease.ErrUnavailable, "never on the guard's word alone")
	})
}

func TestRaiseWhoseAnswerIsLost(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseAnswer: true})
		claim, err := b.a.Raise(b.Context(), claim, 800)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		claim, err = b.a.Renew(b.Context(), claim)
		require.NoError(b, err, "not fenced by its own raise")
		token, _ := b.stored().Token()
		require.EqualValues(b, 801, token.Epoch, "and the epoch did not go back")
		require.Equal(b, claim.Token, token)
	})
}

// A client sends a request again by itself, and the second one is refused.
func TestRaiseThatWasSentTwice(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		raises := 0
		twice := b.lockThrough(func(r *http.Request, pass http.RoundTripper) (*http.Response, error) {
			got, err := pass.RoundTrip(r)
			if r.Method != http.MethodPatch || err != nil {
				return got, err
			}
			if raises++; raises == 2 { // the first was the acquire
				_ = got.Body.Close()
				got = answer(r, http.StatusServiceUnavailable, "{}")
				got.Header.Set("Retry-After", "1")
			}
			return got, err
		})
		claim, err := twice.Raise(b.Context(), b.acquire(twice), 800)
		require.NoError(b, err)
		require.EqualValues(b, 801, claim.Token.Epoch)
		b.holds(claim)
	})
}

// What the server refuses for good is not on the Lease: an epoch raised by hand below it is one.
func TestRaiseThatIsRefused(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 2, Status: http.StatusForbidden})
		claim, err := b.a.Raise(b.Context(), claim, 800)
		require.ErrorIs(b, err, lease.ErrForbidden)
		require.Zero(b, claim.Lift)
		b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "700" })
		_, err = b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, protocol.ErrLost)
	})
}

// A raise without an answer may arrive later, be asked for again, or be finished by
// whatever write has to repair the term.
func TestRaiseThatMayHaveArrived(t *testing.T) {
	for name, test := range map[string]struct {
		fault apiserver.Fault
		then  func(b *bed, c protocol.Claim) (protocol.Claim, error)
		epoch int64
	}{
		"it has": {apiserver.Fault{LoseAnswer: true}, func(b *bed, c protocol.Claim) (protocol.Claim, error) {
			return b.a.Renew(b.Context(), c)
		}, 801},
		"it has not": {apiserver.Fault{LoseRequest: true}, func(b *bed, c protocol.Claim) (protocol.Claim, error) {
			return b.a.Renew(b.Context(), c)
		}, 0},
		"asked for again": {apiserver.Fault{LoseRequest: true}, func(b *bed, c protocol.Claim) (protocol.Claim, error) {
			return b.a.Raise(b.Context(), c, 800)
		}, 801},
		"and higher": {apiserver.Fault{LoseAnswer: true}, func(b *bed, c protocol.Claim) (protocol.Claim, error) {
			c, err := b.a.Renew(b.Context(), c)
			require.NoError(b, err)
			return b.a.Raise(b.Context(), c, 900)
		}, 901},
		"repaired": {apiserver.Fault{LoseRequest: true}, func(b *bed, c protocol.Claim) (protocol.Claim, error) {
			b.edit(func(l *coordv1.Lease) { l.Annotations = nil })
			return b.a.Renew(b.Context(), c)
		}, 801},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				had := b.acquire(b.a)
				test.fault.Verbs, test.fault.Count = writes, 1
				b.c.Link("a").Inject(test.fault)
				claim, err := b.a.Raise(b.Context(), had, 800)
				require.ErrorIs(b, err, lease.ErrUnavailable)
				require.Equal(b, had.Token, claim.Token)
				require.EqualValues(b, 801, claim.Lift)
				claim, err = test.then(b, claim)
				require.NoError(b, err)
				if test.epoch == 0 {
					test.epoch = had.Token.Epoch
				}
				require.Equal(b, test.epoch, claim.Token.Epoch)
				token, _ := b.stored().Token()
				require.Equal(b, claim.Token, token)
			})
		})
	}
}

// An update past a cache that is ahead is sent again like any release.
func TestReleasePastTheCacheIsSentAgain(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.ahead(func() {})
		b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"update"}, Count: 1, HangRequest: true})
		ctx, cancel := context.WithTimeout(b.Context(), 9*time.Second)
		defer cancel()
		require.NoError(b, b.a.Release(ctx, claim.Rebase(b.stored())))
		require.True(b, b.stored().Released())
	})
}
