package protocol_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
)

// Rule A8: an answer is written only if the Lease still names who answers, and has the same term.
func TestAnswerTestsTheTerm(t *testing.T) {
	for name, edit := range map[string]func(l *coordv1.Lease){
		"another term":   func(l *coordv1.Lease) { l.Annotations[lease.AnnotationTerm] = "00000000000000000000000000000000" },
		"another holder": func(l *coordv1.Lease) { *l.Spec.HolderIdentity = "c" },
		"another name":   func(l *coordv1.Lease) { l.Annotations[lease.AnnotationSuccessor] = "c" },
		"no name":        func(l *coordv1.Lease) { delete(l.Annotations, lease.AnnotationSuccessor) },
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				b.annotate(lease.AnnotationSuccessor, "b")
				seen := b.list(b.b).Record
				b.edit(edit)
				require.ErrorIs(b, b.b.Answer(b.Context(), seen), lease.ErrConflict)
				require.NotEqual(b, "b", claim.HandOver(b.list(b.a).Record))
				require.NotEqual(b, seen.ResourceVersion(), b.list(b.a).Record.ResourceVersion())
			})
		})
	}
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.annotate(lease.AnnotationSuccessor, "b")
		seen := b.list(b.b).Record
		claim, err := b.a.Renew(b.Context(), claim) // which is no reason to refuse
		require.NoError(b, err)
		require.NoError(b, b.b.Answer(b.Context(), seen))
		require.Equal(b, "b", b.list(b.a).Record.Annotation(lease.AnnotationSuccessor))
		_, err = b.a.Renew(b.Context(), claim)
		require.NoError(b, err, "W1: nor is an answer a reason to refuse a renewal")
	})
}

// Rule A8: preferredHolder is answered by the annotation, with none there or others.
func TestPreferenceIsAnswered(t *testing.T) {
	inBed(t, apiserver.Options{CoordinatedLeaderElection: true}, func(b *bed) {
		b.ship()
		b.acquire(b.a)
		b.edit(func(l *coordv1.Lease) {
			l.Spec.Strategy, l.Spec.PreferredHolder = new(coordv1.OldestEmulationVersion), new("b")
		})
		seen := b.list(b.b).Record
		require.NoError(b, b.b.Answer(b.Context(), seen))
		require.ErrorIs(b, b.b.Answer(b.Context(), seen), lease.ErrConflict, "somebody is named by the annotation")
		require.Equal(b, "b", b.list(b.a).Record.Successor())
	})
}

// Rule A8: a release names the successor, an acquire removes the name, by patch and by update.
func TestSuccessorIsRemoved(t *testing.T) {
	inBed(t, apiserver.Options{CoordinatedLeaderElection: true}, func(b *bed) {
		b.ship()
		for _, verb := range []string{"", "patch"} {
			b.c.Forbid("a", verb)
			b.c.Forbid("b", verb)
			claim := b.acquire(b.a)
			b.edit(func(l *coordv1.Lease) {
				l.Spec.Strategy, l.Spec.PreferredHolder = new(coordv1.OldestEmulationVersion), new("z")
			})
			claim.Successor = "b"
			require.NoError(b, b.a.Release(b.Context(), claim))
			r := b.list(b.b).Record
			require.True(b, r.Released())
			require.Equal(b, "b", r.Successor())
			claim = b.acquire(b.b)
			require.Empty(b, claim.Record.Successor())
			require.Empty(b, b.list(b.a).Record.Successor())
			require.NoError(b, b.b.Release(b.Context(), claim))
			require.Empty(b, b.list(b.a).Record.Successor(), "nobody was named")
		}
	})
}
