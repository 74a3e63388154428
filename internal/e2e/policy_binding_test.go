//go:build unix

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
)

// TestPolicyOnBindings: a Pod's binding carries annotations to the Pod, and is an
// object without a mark to admission.
func TestPolicyOnBindings(t *testing.T) {
	p := police(t, func(_ fenced, p *kubefence.Policy) {
		p.Resources = append(p.Resources, schema.GroupResource{Resource: "pods"})
	})
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}} // no controller makes it here
	if _, err := p.Admin().CoreV1().ServiceAccounts(p.namespace).Create(t.Context(), account, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Annotations: map[string]string{kubefence.Annotation: second.String()}},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody", AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{Name: "c", Image: "example.com/c"}},
		},
	}
	pods := p.Admin().CoreV1().Pods(p.namespace)
	_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	bind := func(annotations map[string]string) error {
		binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "p", Annotations: annotations}, Target: corev1.ObjectReference{Kind: "Node", Name: "n"}}
		return pods.Bind(t.Context(), binding, metav1.CreateOptions{})
	}
	refusedAs(t, bind(map[string]string{kubefence.Annotation: first.String()}), "a subresource must not be created with the annotation")
	require.NoError(t, bind(nil), "a scheduler's")
	pod, err = pods.Get(t.Context(), "p", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, second.String(), pod.Annotations[kubefence.Annotation])
}
