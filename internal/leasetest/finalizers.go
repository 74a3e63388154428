package leasetest

import (
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

const hold = "example.com/hold"

// finalizers: a deleted Lease with one stays, marked, and can be renewed, until
// the last one is taken off. No update takes the mark away.
func finalizers(s *suite) {
	lease := s.lease()
	lease.Finalizers = []string{hold}
	created, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	require.NoError(s, err)
	w := s.watch(from(created.Name, created.ResourceVersion))
	require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{}))
	marked := s.get(created.Name)
	require.NotNil(s, marked.DeletionTimestamp)
	require.Zero(s, *marked.DeletionGracePeriodSeconds)
	s.newer(marked.ResourceVersion, created.ResourceVersion)
	s.expect(w, apiwatch.Modified, marked)

	require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{}))
	require.Equal(s, marked, s.get(created.Name), "the second time changes nothing")

	unmarked := held(marked, "b")
	unmarked.DeletionTimestamp, unmarked.DeletionGracePeriodSeconds = nil, nil
	renewed := s.update(unmarked)
	require.Equal(s, marked.DeletionTimestamp, renewed.DeletionTimestamp)
	require.Equal(s, marked.DeletionGracePeriodSeconds, renewed.DeletionGracePeriodSeconds)
	require.Equal(s, marked.UID, renewed.UID)
	s.expect(w, apiwatch.Modified, renewed)

	last := renewed.DeepCopy()
	last.Finalizers = nil
	s.update(last)
	require.Equal(s, apiwatch.Deleted, s.next(w).Type)
	getMissingNamed(s, created.Name)
}

// deleteWithDependents: to delete in the foreground, or to orphan dependents, is
// left to the garbage collector: the Lease is marked and keeps a finalizer until
// then. Without a word about dependents, and in the background, it goes at once.
func deleteWithDependents(s *suite) {
	for policy, finalizer := range map[metav1.DeletionPropagation]string{
		metav1.DeletePropagationForeground: metav1.FinalizerDeleteDependents,
		metav1.DeletePropagationOrphan:     metav1.FinalizerOrphanDependents,
	} {
		created := s.created()
		w := s.watch(from(created.Name, created.ResourceVersion))
		require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{PropagationPolicy: &policy}))
		e := s.next(w)
		require.Equal(s, apiwatch.Modified, e.Type)
		marked := e.Object.(*coordv1.Lease)
		require.NotNil(s, marked.DeletionTimestamp)
		require.Equal(s, []string{finalizer}, marked.Finalizers)
		require.Equal(s, created.Spec, marked.Spec)

		// Where there is a garbage collector it may be faster than this.
		_, err := s.patch(created.Name, types.MergePatchType, `{"metadata":{"finalizers":null}}`)
		if !apierrors.IsNotFound(err) {
			require.NoError(s, err)
		}
		require.Equal(s, apiwatch.Deleted, s.next(w).Type)
		getMissingNamed(s, created.Name)
	}

	background := metav1.DeletePropagationBackground
	created := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
	getMissingNamed(s, created.Name)

	created = s.lease()
	created.Finalizers = []string{metav1.FinalizerDeleteDependents, hold}
	created, err := s.leases.Create(s.ctx, created, metav1.CreateOptions{})
	require.NoError(s, err)
	require.NoError(s, s.leases.Delete(s.ctx, created.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
	marked := s.get(created.Name)
	require.NotNil(s, marked.DeletionTimestamp)
	require.Equal(s, []string{hold}, marked.Finalizers, "what is said when deleting counts")
	marked.Finalizers = nil
	s.update(marked)
}
