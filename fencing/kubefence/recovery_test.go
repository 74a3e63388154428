package kubefence_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The row of internal/docs/guards.md. With a Policy that has to be taken away first: TestPolicyOnDamagedMarks of internal/e2e.
func TestRecovery(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		annotate := func(change func(annotations map[string]string)) func(testing.TB) {
			return func(t testing.TB) {
				require.NoError(t, c.cluster.EditLease(namespace, "counter", func(l *coordv1.Lease) { change(l.Annotations) }))
			}
		}
		remove := annotate(func(a map[string]string) { delete(a, kubefence.Annotation) })
		again := func(t testing.TB) { // kubectl delete, and apply of what was shipped
			require.True(t, c.cluster.DeleteLease(namespace, "counter"))
			require.ErrorIs(t, c.guard(t).Announce(c.t.Context(), guardtest.Token(5, 0)), fencing.ErrWiring)
			_, err := c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counter"}})
			require.NoError(t, err)
		}
		for _, lose := range []func(testing.TB){remove, again} {
			guardtest.Recovery{
				Guard: c.guard, Lose: lose, Repair: remove,
				Damage: annotate(func(a map[string]string) { a[kubefence.Annotation] = "seven" }),
			}.Run(t)
			remove(t)
		}
	})
}

func (c counter) guard(t testing.TB) fencing.Guard {
	guard, err := kubefence.NewGuard(c.objects.Object("counter"))
	require.NoError(t, err)
	return guard
}
