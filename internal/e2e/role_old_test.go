//go:build unix

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
)

// TestRightsOfOldVersions: the Roles that programs have for client-go's elector, and with what the
// guide says to add. Without it, hotseat says what is missing.
func TestRightsOfOldVersions(t *testing.T) {
	leases := func(verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: verbs}
	}
	named := func(verbs ...string) rbacv1.PolicyRule {
		rule := leases(verbs...)
		rule.ResourceNames = []string{leaseName}
		return rule
	}
	for name, c := range map[string]struct {
		has, add []rbacv1.PolicyRule
		refused  string // the verb without which Run ends
		warns    string // or what it says
	}{
		"client-go": {
			has: []rbacv1.PolicyRule{leases("get", "create", "update")}, refused: "list",
			add: []rbacv1.PolicyRule{leases("list", "watch", "patch")},
		},
		"external-attacher": {
			has:   []rbacv1.PolicyRule{leases("get", "watch", "list", "delete", "update", "create")},
			warns: "not allowed to patch the Lease", add: []rbacv1.PolicyRule{leases("patch")},
		},
		"descheduler": {
			has:     []rbacv1.PolicyRule{leases("create", "update"), named("get", "patch", "delete")},
			refused: "list", add: []rbacv1.PolicyRule{named("list", "watch")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := openShop(t, sharedCluster(t), func(r *rbacv1.Role) { r.Rules = c.has })
			if c.refused != "" {
				old.refused(old.replica("a"), c.refused)
			} else {
				a := old.replica("a")
				old.works(a)
				require.Equal(t, 1, a.log.count(c.warns))
			}
			mended := openShop(t, sharedCluster(t), func(r *rbacv1.Role) { r.Rules = append(c.has, c.add...) })
			for _, r := range mended.handsOver() {
				require.NotContains(t, r.log.String(), "level=WARN")
			}
		})
	}
}
