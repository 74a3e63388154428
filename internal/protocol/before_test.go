package protocol_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

const duration = 15 * time.Second

// freeIn requires that a process that first looks now may take the Lease after
// that time.
func (b *bed) freeIn(want time.Duration) {
	b.Helper()
	v := protocol.View{}.Observe(b.list(b.b), duration)
	require.Equal(b, protocol.Prove, protocol.DecideNow(v, b.b.Clock.Now(), true).Action)
	b.prove(b.b, &v)
	require.Equal(b, want, max(0, b.b.Clock.Until(v.FreeAt())))
	if want == 0 {
		require.Equal(b, protocol.Acquire, protocol.DecideNow(v, b.b.Clock.Now(), true).Action)
	}
}

// putBack is what kubectl replace does with a file.
func (b *bed) putBack(r protocol.Record) {
	b.Helper()
	b.edit(func(l *coordv1.Lease) {
		l.Labels, l.Annotations, l.Spec = r.Lease().Labels, r.Lease().Annotations, r.Lease().Spec
	})
}

// Rules C5 to C7: what was there before tells a release and a shipped Lease from
// their copies.
func TestBefore(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(b *bed)
		wait   time.Duration
	}{
		"released": {func(b *bed) { require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a))) }, 0},
		"renewed, edited, released": {func(b *bed) {
			claim := b.acquire(b.a)
			_, err := b.a.Renew(b.Context(), claim)
			require.NoError(b, err)
			b.label("x")
			require.NoError(b, b.a.Release(b.Context(), claim))
		}, 0},
		"others are written meanwhile": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			_, err := b.c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "other"}})
			require.NoError(b, err)
		}, 0},
		"released, edited": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			b.label("x")
			b.label("y")
		}, 0},
		"released, edited often": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			for _, text := range []string{"a", "b", "c", "d"} {
				b.label(text)
			}
		}, duration},
		"released, and not only its labels edited": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			b.edit(func(l *coordv1.Lease) { l.Spec.LeaseTransitions = new(int32(7)) })
			b.label("x")
		}, duration},
		"released, put back over another's term, edited": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			free := b.stored()
			b.label("x")
			b.acquire(b.b)
			b.putBack(free)
			b.label("x")
		}, duration},
		"released, edited, compacted": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			b.c.Compact()
			b.label("x")
		}, duration},
		"put back over another's term": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			free := b.stored()
			b.acquire(b.b)
			b.putBack(free)
		}, duration},
		"put back over its next term": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			free := b.stored()
			b.acquire(b.a)
			b.putBack(free)
		}, duration},
		"compacted": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			b.c.Compact()
		}, duration},
		"put back with another UID": {func(b *bed) {
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			free := b.c.Lease(ns, name)
			b.acquire(b.b)
			b.c.DeleteLease(ns, name)
			free.ResourceVersion = ""
			_, err := b.c.CreateLease(free)
			require.NoError(b, err)
		}, duration},
		"untouched": {func(*bed) {}, 0},
		"untouched, edited": {func(b *bed) {
			b.label("x")
			b.edit(func(l *coordv1.Lease) { l.Annotations = map[string]string{"argocd": "was here"} })
		}, 0},
		"untouched, edited often": {func(b *bed) {
			for _, text := range []string{"a", "b", "c", "d"} {
				b.label(text)
			}
		}, duration},
		"replaced with the manifest": {func(b *bed) {
			manifest := b.stored()
			b.acquire(b.a)
			b.putBack(manifest)
		}, duration},
		"replaced with the manifest, edited": {func(b *bed) {
			manifest := b.stored()
			b.acquire(b.a)
			b.putBack(manifest)
			b.label("x")
			b.label("y")
		}, duration},
		"replaced over a release": {func(b *bed) {
			manifest := b.stored()
			require.NoError(b, b.a.Release(b.Context(), b.acquire(b.a)))
			b.putBack(manifest)
		}, duration},
		"untouched, compacted": {func(b *bed) { b.c.Compact(); b.label("x"); b.c.Compact() }, duration},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				test.happen(b)
				b.freeIn(test.wait)
			})
		})
	}
}

func TestBeforeWhatHasNoVersion(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		for _, version := range []string{"", "x", "1", "0", "-4", "9223372036854775807", "340282366920938463463374607431768211455"} {
			_, looked, err := b.a.Before(b.Context(), b.asIf(func(l *coordv1.Lease) { l.ResourceVersion = version }))
			require.NoError(b, err, version)
			require.False(b, looked, version)
		}
		_, looked, err := b.a.Before(b.Context(), protocol.Record{})
		require.NoError(b, err)
		require.False(b, looked)
		require.Zero(b, b.c.CountRequests("a"))
		_, looked, err = b.a.Before(b.Context(), b.asIf(func(l *coordv1.Lease) { l.ResourceVersion = "9000" }))
		require.False(b, looked, "in the future")
		require.True(b, err == nil || isUnavailable(err), "%v", err)
		b.c.Link("a").Cut()
		_, _, err = b.a.Before(b.Context(), b.stored())
		require.ErrorIs(b, err, lease.ErrUnavailable)
	})
}

// The watch shows each release itself, so a handover asks nothing.
func TestReleaseSeenByTheWatchNeedsNoProof(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.b)
		from := b.list(b.a)
		v := protocol.View{}.Observe(from, duration)
		seen, stop := watching(b, from)
		b.label("x")
		claim, err := b.b.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.NoError(b, b.b.Release(b.Context(), claim))
		synctest.Wait()
		for _, o := range *seen {
			v = v.Observe(o, duration)
		}
		require.Equal(b, protocol.Acquire, protocol.DecideNow(v, b.a.Clock.Now(), false).Action)
		require.Error(b, stop())
	})
}
