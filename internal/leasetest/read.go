package leasetest

import (
	"strconv"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func getMissing(s *suite) { getMissingNamed(s, s.name()) }

func getMissingNamed(s *suite, name string) {
	s.Helper()
	_, err := s.leases.Get(s.ctx, name, metav1.GetOptions{})
	status := s.refused(err, 404, metav1.StatusReasonNotFound, `leases.coordination.k8s.io "`+name+`" not found`)
	require.Equal(s, "leases", status.Details.Kind)
	require.Equal(s, name, status.Details.Name)
	require.True(s, apierrors.IsNotFound(err))
}

func (s *suite) list(o metav1.ListOptions) *coordv1.LeaseList {
	s.Helper()
	list, err := s.leases.List(s.ctx, o)
	require.NoError(s, err)
	return list
}

func listByName(s *suite) {
	lease, noise := s.created(), s.created()
	before := s.list(byName(lease.Name))
	require.Len(s, before.Items, 1)
	require.Equal(s, *lease, before.Items[0])
	s.newer(before.ResourceVersion, lease.ResourceVersion) // noise came after it

	s.update(held(noise, "b"))
	after := s.list(byName(lease.Name))
	require.Equal(s, before.Items, after.Items)
	s.newer(after.ResourceVersion, before.ResourceVersion)
}

func listByNameMissing(s *suite) {
	lease := s.created()
	list := s.list(byName(s.name()))
	require.Empty(s, list.Items)
	now := s.update(held(lease, "b"))
	list = s.list(byName(s.name()))
	require.Empty(s, list.Items)
	require.Contains(s, []int{0, 1}, s.compare(list.ResourceVersion, now.ResourceVersion), "an empty LIST tells the current version")
}

func listByLabel(s *suite) {
	lease := s.created()
	_, err := s.leases.Patch(s.ctx, lease.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"leasetest":"`+lease.Name+`"}}}`), metav1.PatchOptions{})
	require.NoError(s, err)
	list := s.list(metav1.ListOptions{LabelSelector: "leasetest=" + lease.Name})
	require.Len(s, list.Items, 1)
	require.Equal(s, lease.Name, list.Items[0].Name)
	require.Empty(s, s.list(metav1.ListOptions{LabelSelector: "leasetest=" + lease.Name + ",!leasetest"}).Items)
}

func listByUnknownField(s *suite) {
	_, err := s.leases.List(s.ctx, metav1.ListOptions{FieldSelector: "spec.holderIdentity=a"})
	s.refused(err, 400, metav1.StatusReasonBadRequest, `"spec.holderIdentity" is not a known field selector`)
}

func listTheFuture(s *suite) {
	rv, err := strconv.ParseInt(s.list(metav1.ListOptions{}).ResourceVersion, 10, 64)
	require.NoError(s, err)
	// The answer asks to come back; client-go would, ten times.
	err = s.client.CoordinationV1().RESTClient().Get().Namespace(s.ns).Resource("leases").
		Param("resourceVersion", strconv.FormatInt(rv+1_000_000, 10)).MaxRetries(0).Do(s.ctx).Error()
	status := s.refused(err, 504, metav1.StatusReasonTimeout, "Too large resource version")
	require.EqualValues(s, 1, status.Details.RetryAfterSeconds)
}

func byName(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "metadata.name=" + name}
}
