//go:build unix

package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
)

func clientOf(t *testing.T, config *rest.Config) kubernetes.Interface {
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func dynamicOf(t *testing.T, config *rest.Config) dynamic.Interface {
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// pod makes a Pod that nobody schedules.
func (p policed) pod(name string, annotations map[string]string) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}} // no controller makes it here
	if _, err := p.Admin().CoreV1().ServiceAccounts(p.namespace).Create(p.t.Context(), account, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		require.NoError(p.t, err)
	}
	_, err := p.Admin().CoreV1().Pods(p.namespace).Create(p.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody", AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{
				Name: "c", Image: "example.com/c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("2m")}},
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(p.t, err)
}

// TestPolicyOnPodSubresources: the server drops the annotations from these before admission sees them, so that a stale token would
// pass for none.
func TestPolicyOnPodSubresources(t *testing.T) {
	var trusted, other kubernetes.Interface
	bodies := map[string]string{
		"ephemeralcontainers": `"spec":{"ephemeralContainers":[{"name":"e","image":"example.com/e"}]}`,
		"resize":              `"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"1m"}}}]}`,
	}
	write := func(p policed, c kubernetes.Interface, pod, sub string) error {
		_, err := c.CoreV1().Pods(p.namespace).Patch(t.Context(), pod, types.StrategicMergePatchType,
			[]byte(`{"metadata":{"annotations":{"`+kubefence.Annotation+`":"`+first.String()+`"}},`+bodies[sub]+`}`), metav1.PatchOptions{}, sub)
		return err
	}
	const why = "this subresource shows no token, and this user may not write it"
	for name, scalers := range map[string]bool{"by nobody": false, "by Scalers": true} {
		t.Run(name, func(t *testing.T) {
			p := police(t, func(f fenced, p *kubefence.Policy) {
				trusted, other = f.editor("invoicer"), f.editor("other")
				p.Resources = []schema.GroupResource{{Resource: "configmaps"}, {Resource: "pods"}}
				if scalers {
					p.Scalers = []string{"system:serviceaccount:" + f.namespace + ":invoicer"}
				}
			})
			p.pod("p", map[string]string{kubefence.Annotation: second.String()})
			p.pod("free", nil)
			for sub := range bodies {
				refusedAs(t, write(p, other, "p", sub), why)
				if err := write(p, trusted, "p", sub); scalers {
					require.NoError(t, err, sub)
				} else {
					refusedAs(t, err, why)
				}
			}
			// Those without a mark are nobody's concern.
			for sub := range bodies {
				require.NoError(t, write(p, other, "free", sub))
			}
			// A write of the Pod itself shows its token.
			_, err := p.Admin().CoreV1().Pods(p.namespace).Patch(t.Context(), "p", types.MergePatchType, metadata(first.String()), metav1.PatchOptions{})
			refusedAs(t, err, "stale token")
		})
	}
}

// TestPolicyOnOwners: the garbage collector deletes what belongs to nobody any more, and may always: who may not delete may not say
// whose an object is either.
func TestPolicyOnOwners(t *testing.T) {
	var trusted, other kubernetes.Interface
	p := police(t, func(f fenced, p *kubefence.Policy) {
		trusted, other = f.editor("invoicer"), f.editor("other")
		p.Deleters = []string{"system:serviceaccount:" + f.namespace + ":invoicer"}
	})
	p.create("m", first)
	p.create("free")
	own := func(c kubernetes.Interface, name, owners string) error {
		_, err := c.CoreV1().ConfigMaps(p.namespace).Patch(t.Context(), name, types.MergePatchType,
			[]byte(`{"metadata":{"ownerReferences":`+owners+`}}`), metav1.PatchOptions{})
		return err
	}
	const (
		nobody = `[{"apiVersion":"v1","kind":"ConfigMap","name":"nobody","uid":"00000000-0000-0000-0000-000000000000"}]`
		why    = "this user may not change the owners of an object with a mark"
	)
	refusedAs(t, own(other, "m", nobody), why)
	require.NoError(t, own(other, "free", nobody))
	require.NoError(t, own(trusted, "m", nobody))
	refusedAs(t, own(other, "m", "null"), why)
	// The rest of the object may be written as ever, with owners and without.
	_, err := other.CoreV1().ConfigMaps(p.namespace).Patch(t.Context(), "m", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, own(trusted, "m", "null"))
	_, err = other.CoreV1().ConfigMaps(p.namespace).Patch(t.Context(), "m", types.MergePatchType, []byte(`{"data":{"a":"c"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, p.put("m", second.String()))

	d := deployment("d")
	d.Annotations = map[string]string{kubefence.Annotation: first.String()}
	_, err = p.Admin().AppsV1().Deployments(p.namespace).Create(context.Background(), d, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = p.Admin().AppsV1().Deployments(p.namespace).Patch(t.Context(), "d", types.MergePatchType, metadata(second.String()), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
}

func podRules() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "pods/resize", "pods/ephemeralcontainers"}, Verbs: []string{"*"}}
}
