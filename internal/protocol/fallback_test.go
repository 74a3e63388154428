package protocol_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Where the verb patch is refused, today's update does it, told by PatchRefused;
// the verb is tried again after a lease duration.
func TestPatchRefused(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"403": {Status: http.StatusForbidden},
		"405": {Status: http.StatusMethodNotAllowed},
		"415": {Status: http.StatusUnsupportedMediaType},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				fault.Verbs = []string{"patch"}
				allow := b.c.Link("a").Inject(fault)
				counts := func(patch, update int, what string) {
					b.Helper()
					require.Equal(b, []int{patch, update}, []int{b.c.CountRequests("a", "patch"), b.c.CountRequests("a", "update")}, what)
				}
				require.NoError(b, b.a.PatchRefused())
				claim := b.acquire(b.a)
				b.holds(claim)
				counts(1, 1, "refused, then done")
				require.ErrorContains(b, b.a.PatchRefused(), "patch lease: ")
				base := claim
				for range 3 {
					time.Sleep(2 * time.Second)
					sent := b.a.Clock.Now()
					next, err := b.a.Renew(b.Context(), claim)
					require.NoError(b, err)
					require.Zero(b, next.Sent.Sub(sent))
					claim = claim.Acknowledged(next, b.a.Clock.Now())
				}
				counts(1, 4, "not tried each time")
				next, err := b.a.Renew(b.Context(), base)
				require.NoError(b, err, "an outdated base is read again")
				claim = claim.Acknowledged(next, b.a.Clock.Now())
				b.label("x")
				claim, err = b.a.Raise(b.Context(), claim, 700)
				require.NoError(b, err)
				b.holds(claim)
				require.Equal(b, 1, b.c.CountRequests("a", "patch"))

				time.Sleep(16 * time.Second)
				claim, err = b.a.Renew(b.Context(), claim)
				require.NoError(b, err)
				require.Equal(b, 2, b.c.CountRequests("a", "patch"), "tried again after a lease duration")
				require.Error(b, b.a.PatchRefused())
				allow()
				b.c.ForgetRequests()
				claim, err = b.a.Renew(b.Context(), claim)
				require.NoError(b, err)
				counts(0, 1, "not yet")
				time.Sleep(16 * time.Second)
				claim, err = b.a.Renew(b.Context(), claim)
				require.NoError(b, err)
				counts(1, 1, "and allowed")
				require.NoError(b, b.a.PatchRefused())
				require.NoError(b, b.a.Release(b.Context(), claim))
				require.True(b, b.stored().Released())
			})
		})
	}
}

// By update, too, a release and a takeover are compare-and-swaps.
func TestFallbackLosesTheRace(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		b.c.Forbid("a", "patch")
		from, claim := b.claim(b.a)
		b.acquire(b.b)
		was := b.stored()
		got, err := b.a.Take(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.True(b, got.Sent.IsZero())
		got, err = b.a.Ensure(b.Context(), from, claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.True(b, got.Sent.IsZero())
		require.Equal(b, was.Lease(), b.stored().Lease())
	})
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		b.c.Forbid("a", "patch")
		claim := b.acquire(b.a)
		b.acquire(b.b)
		was := b.stored()
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, protocol.ErrLost)
		require.ErrorIs(b, b.a.Release(b.Context(), claim), protocol.ErrLost)
		require.Equal(b, was.Lease(), b.stored().Lease())
	})
}

// An acquire by update whose answer is lost is ensured as one by patch.
func TestFallbackEnsures(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"answer lost": {LoseAnswer: true}, "request lost": {LoseRequest: true}, "answer hangs": {HangAnswer: true}, "503": {Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				b.c.Forbid("a", "patch")
				from, claim := b.claim(b.a)
				fault.Verbs, fault.Count = []string{"update"}, 1
				b.c.Link("a").Inject(fault)
				began := b.a.Clock.Now()
				_, err := b.a.Take(b.Context(), from, claim)
				require.ErrorIs(b, err, lease.ErrUnavailable)
				require.LessOrEqual(b, b.a.Clock.Since(began), b.a.Timing.RequestTimeout(), "the next update needs its answer")
				time.Sleep(time.Second)
				got, err := b.a.Ensure(b.Context(), from, claim)
				require.NoError(b, err)
				b.holds(got)
				require.Zero(b, b.a.Clock.Since(got.Sent))
			})
		})
	}
}

// While patch is refused together with update there is no fallback, and the error
// names the verb of the Role.
func TestNoFallback(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Forbid("a", "patch", "update")
		for range 2 {
			_, err := b.a.Renew(b.Context(), claim)
			require.ErrorIs(b, err, lease.ErrForbidden)
			require.ErrorContains(b, err, "patch lease: forbidden")
			require.NoError(b, b.a.PatchRefused(), "nothing is written by update instead")
		}
		b.c.Allow("a", "patch", "update")
		b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"patch"}, Count: 1, Status: http.StatusUnprocessableEntity})
		_, err := b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Zero(b, b.c.CountRequests("a", "update")-2, "a failed test is no refusal of the verb")
		require.NoError(b, b.a.PatchRefused())
	})
}
