//go:build unix

package e2e

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/manifests"
	"github.com/hotseat-go/hotseat/singleton"
)

// What the manifests name.
const (
	account   = "invoicer"
	leaseName = "invoicer"
)

// shop is a namespace in which the manifests of examples/deploy are applied.
type shop struct {
	*controlplane.Cluster
	t         *testing.T
	namespace string
}

// openShop applies the manifests with the shipped Role, changed if change is not
// nil, in a new namespace.
func openShop(t *testing.T, c *controlplane.Cluster, change func(*rbacv1.Role)) shop {
	t.Helper()
	s := newShop(t, c)
	for _, object := range shipped(t) {
		if role, ok := object.(*rbacv1.Role); ok && change != nil {
			change(role)
		}
		require.NoError(t, s.apply(object))
	}
	return s
}

// newShop makes the namespace, and applies nothing.
func newShop(t *testing.T, c *controlplane.Cluster) shop {
	t.Helper()
	s := shop{c, t, "shop-" + strings.ToLower(rand.Text()[:8])}
	require.NoError(t, c.Namespace(t.Context(), s.namespace))
	t.Cleanup(func() {
		_ = c.Admin().CoreV1().Namespaces().Delete(context.Background(), s.namespace, metav1.DeleteOptions{})
	})
	return s
}

// deployFolder has the manifests that users apply.
const deployFolder = "../../examples/deploy"

// shipped are the objects of examples/deploy with components of it.
func shipped(t *testing.T, components ...string) []runtime.Object {
	t.Helper()
	built, err := manifests.Build(deployFolder, components...)
	require.NoError(t, err)
	objects, err := manifests.Objects(built)
	require.NoError(t, err)
	return objects
}

func (s shop) apply(object runtime.Object) error {
	ctx, admin, o := s.t.Context(), s.Admin(), metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	var err error
	switch x := object.(type) {
	case *corev1.ServiceAccount:
		_, err = admin.CoreV1().ServiceAccounts(s.namespace).Create(ctx, x, o)
	case *coordv1.Lease:
		_, err = admin.CoordinationV1().Leases(s.namespace).Create(ctx, x, o)
	case *rbacv1.Role:
		_, err = admin.RbacV1().Roles(s.namespace).Create(ctx, x, o)
	case *rbacv1.RoleBinding:
		_, err = admin.RbacV1().RoleBindings(s.namespace).Create(ctx, x, o)
	case *policyv1.PodDisruptionBudget:
		_, err = admin.PolicyV1().PodDisruptionBudgets(s.namespace).Create(ctx, x, o)
	case *appsv1.Deployment:
		_, err = admin.AppsV1().Deployments(s.namespace).Create(ctx, x, o)
	default:
		s.t.Fatalf("the manifests hold a %T", object)
	}
	return err
}

func (s shop) leases() coordclient.LeaseInterface {
	return s.Admin().CoordinationV1().Leases(s.namespace)
}

// client is one of a Pod with the manifests' ServiceAccount.
func (s shop) client() *singleton.Client {
	client, err := singleton.NewClient(s.config())
	require.NoError(s.t, err)
	return client
}

func (s shop) config() *rest.Config {
	config, err := s.Account(s.t.Context(), s.namespace, account)
	require.NoError(s.t, err)
	return config
}

// without takes verbs away from the shipped Role.
func without(verbs ...string) func(*rbacv1.Role) {
	return func(r *rbacv1.Role) {
		for i := range r.Rules {
			r.Rules[i].Verbs = slices.DeleteFunc(r.Rules[i].Verbs, func(v string) bool { return slices.Contains(verbs, v) })
		}
		r.Rules = slices.DeleteFunc(r.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 }) // a rule needs one
	}
}
