package protocol_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Whatever a record shows that is not exactly our term, renewing and releasing
// write nothing.
func TestLostTermWritesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(b *bed)
		loss   protocol.Loss
		says   string
	}{
		"taken":                {func(b *bed) { b.acquire(b.b) }, protocol.LossTaken, `taken by "b"`},
		"foreign holder":       {func(b *bed) { b.edit(func(l *coordv1.Lease) { x := "x"; l.Spec.HolderIdentity = &x }) }, protocol.LossTaken, `taken by "x"`},
		"another term of ours": {func(b *bed) { b.acquire(b.a) }, protocol.LossTaken, `taken by "a"`},
		"term edited":          {func(b *bed) { b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationTerm] = "?" }) }, protocol.LossTaken, "taken"},
		"re-acquired, annotations removed": {func(b *bed) {
			time.Sleep(time.Second)
			b.acquire(b.a)
			b.edit(func(l *coordv1.Lease) { l.Annotations = nil })
		}, protocol.LossTaken, "taken"},
		"cleared": {func(b *bed) { b.edit(func(l *coordv1.Lease) { x := ""; l.Spec.HolderIdentity = &x }) }, protocol.LossCleared, "holder cleared"},
		"fenced":  {func(b *bed) { b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "99999" }) }, protocol.LossFenced, "higher fencing epoch"},
		"fenced, term removed": {func(b *bed) {
			b.edit(func(l *coordv1.Lease) {
				delete(l.Annotations, lease.AnnotationTerm)
				l.Annotations[lease.AnnotationEpoch] = "99999"
			})
		}, protocol.LossFenced, "higher fencing epoch"},
		"deleted and put back": {func(b *bed) {
			l := b.c.Lease(ns, name)
			b.c.DeleteLease(ns, name)
			l.UID, l.ResourceVersion = "", ""
			_, err := b.c.CreateLease(l)
			require.NoError(b, err)
		}, protocol.LossDeleted, "deleted"},
		"deleted":                  {func(b *bed) { b.c.DeleteLease(ns, name) }, protocol.LossDeleted, "deleted"},
		"deleted and shipped anew": {func(b *bed) { b.c.DeleteLease(ns, name); b.ship() }, protocol.LossDeleted, "deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				test.happen(b)
				before := b.stored().Lease()

				_, renewing := b.a.Renew(b.Context(), claim)
				_, raising := b.a.Raise(b.Context(), claim, claim.Token.Epoch)
				errs := []error{renewing, raising}
				if test.loss != protocol.LossFenced { // see TestFencedTermIsReleased
					errs = append(errs, b.a.Release(b.Context(), claim))
				}
				for _, err := range errs {
					require.ErrorIs(b, err, protocol.ErrLost)
					require.ErrorContains(b, err, test.says)
					var lost *protocol.LostError
					require.ErrorAs(b, err, &lost)
					require.Equal(b, test.loss, lost.Loss)
				}
				after := b.stored().Lease()
				if name == "fenced" { // a renewal tests no epoch; it prolongs nobody's validity
					require.Equal(b, before.Annotations, after.Annotations)
					before.Spec.RenewTime, after.Spec.RenewTime = nil, nil
					require.Equal(b, before.Spec, after.Spec)
					return
				}
				require.Equal(b, before, after)
			})
		})
	}
}

// A term whose epoch was raised by hand is still on its Lease, and is released there,
// with the epoch that is left by then.
func TestFencedTermIsReleased(t *testing.T) {
	const own, raised = 0, 99999
	for name, test := range map[string]struct {
		edits []string
		want  int64
	}{
		"raised":                   {[]string{"99999"}, raised},
		"raised and lowered":       {[]string{"5000000000000000000", "99999"}, raised},
		"raised and put back":      {[]string{"5000000000000000000", "2"}, own},
		"raised, and then garbled": {[]string{"99999", "?"}, own},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				for _, epoch := range test.edits {
					b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = epoch })
				}
				require.NoError(b, b.a.Release(b.Context(), claim))
				released := b.stored()
				epoch, err := released.Epoch()
				require.NoError(b, err)
				require.True(b, released.Released())
				require.Equal(b, max(test.want, claim.Token.Epoch), epoch)
				require.Equal(b, claim.Token.Term, released.Term())
			})
		})
	}
}
