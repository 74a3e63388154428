package protocol_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// publish takes the Lease as a process that others can recognize.
func (b *bed) publish(l *protocol.Lock) protocol.Claim {
	b.Helper()
	from, c := b.claim(l)
	c.Published.Identity = "pod of " + l.Identity
	c, err := l.Take(b.Context(), from, c)
	require.NoError(b, err)
	return c
}

// renew knows what it has heard.
func (b *bed) renew(l *protocol.Lock, c protocol.Claim) protocol.Claim {
	b.Helper()
	c.Published.After = c.Record.ResourceVersion()
	c, err := l.Renew(b.Context(), c)
	require.NoError(b, err)
	return c
}

// Rules P1 and P3: a look at what was there before tells the last claim from a copy of it.
func TestTrace(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(b *bed)
		last   bool
	}{
		"acquired": {func(b *bed) { b.publish(b.a) }, true},
		"renewed":  {func(b *bed) { b.renew(b.a, b.publish(b.a)) }, true},
		"renewed, edited": {func(b *bed) {
			b.renew(b.a, b.publish(b.a))
			b.label("x")
			b.edit(func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(3)) })
		}, true},
		"edited often": {func(b *bed) {
			b.renew(b.a, b.publish(b.a))
			for _, text := range []string{"a", "b", "c", "d"} {
				b.label(text)
			}
		}, false},
		"renewed by two at once": {func(b *bed) {
			c := b.publish(b.a)
			b.renew(b.a, c)
			b.renew(b.a, c)
		}, true},
		"published late": {func(b *bed) {
			c := b.acquire(b.a)
			c.Published.Identity = "pod"
			b.renew(b.a, c)
		}, true},
		"not published": {func(b *bed) { b.acquire(b.a) }, false},
		"put back over another's term": {func(b *bed) {
			b.renew(b.a, b.publish(b.a))
			held := b.stored()
			b.publish(b.b)
			b.putBack(held)
		}, false},
		"put back, and renewed late": {func(b *bed) {
			c := b.renew(b.a, b.publish(b.a))
			held := b.stored()
			b.publish(b.b)
			b.putBack(held)
			_, err := b.a.Renew(b.Context(), c)
			require.NoError(b, err)
		}, false},
		"put back, and repaired late": {func(b *bed) {
			c := b.renew(b.a, b.publish(b.a))
			held := b.stored()
			b.publish(b.b)
			b.putBack(held)
			b.annotate(lease.AnnotationTerm, "")
			_, err := b.a.Renew(b.Context(), c)
			require.NoError(b, err)
			_, published := b.stored().Evidence()
			require.True(b, published)
		}, false},
		"compacted": {func(b *bed) {
			b.publish(b.a)
			b.c.Compact()
		}, false},
		"put back with another UID": {func(b *bed) {
			b.renew(b.a, b.publish(b.a))
			held := b.c.Lease(ns, name)
			b.c.DeleteLease(ns, name)
			held.ResourceVersion = ""
			_, err := b.c.CreateLease(held)
			require.NoError(b, err)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				test.happen(b)
				last, err := b.b.Trace(b.Context(), b.stored())
				require.NoError(b, err)
				require.Equal(b, test.last, last)
			})
		})
	}
}

// Rule P1: who takes the Lease over, or releases it, leaves nothing of what was published. Each
// write is tested against it, as against the other annotations (rule W4).
func TestNothingIsLeftOfWhatWasPublished(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		c := b.publish(b.a)
		published, ok := b.stored().Evidence()
		require.True(b, ok)
		require.Equal(b, "pod of a", published.Identity)
		require.NoError(b, b.a.Release(b.Context(), c))
		require.Empty(b, b.stored().Annotation(lease.AnnotationEvidence))

		b.publish(b.a)
		from, next := b.claim(b.b)
		b.annotate(lease.AnnotationEvidence, "edited")
		_, err := b.b.Take(b.Context(), from, next)
		require.ErrorIs(b, err, lease.ErrConflict)
		b.acquire(b.b)
		require.Empty(b, b.stored().Annotation(lease.AnnotationEvidence))
	})
}
