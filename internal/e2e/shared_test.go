//go:build unix

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/singleton"
)

// TestSharedWatch: over one watch for the namespace replicas hand over, and what
// they write, from records without managedFields, leaves everybody's in place.
func TestSharedWatch(t *testing.T) {
	s := openShop(t, sharedCluster(t), func(r *rbacv1.Role) {
		r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"list", "watch"}})
	})
	leases := singleton.NewSharedWatch(s.client(), s.namespace, nil)
	share := func(c *singleton.Config) { c.Replica.SharedWatch = leases }
	a := s.replica("a", share)
	s.works(a)
	b := s.replica("b", share)
	s.idles(b, time.Second)

	stored := s.Admin().CoordinationV1().Leases(s.namespace)
	// Of a Lease the server tracks managed fields once somebody applies it.
	applied, err := stored.Patch(t.Context(), leaseName, types.ApplyPatchType,
		[]byte(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"invoicer","labels":{"team":"billing"}}}`),
		metav1.PatchOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	require.NotEmpty(t, applied.ManagedFields)
	a.stop()
	s.works(b)
	s.idles(b, time.Second) // it renews
	now, err := stored.Get(t.Context(), leaseName, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "billing", now.Labels["team"])
	require.True(t, slices.ContainsFunc(now.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Manager == "somebody" }), "%v", now.ManagedFields)
}
