//go:build unix

package frameworks

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// gated is a namespace in which a policy demands a token of each write, and an elector whose gate
// stamps them.
type gated struct {
	*testing.T
	namespace string
	elector   *singleton.Elector
	gate      *writegate.Gate
}

func newGated(t *testing.T, namespace string) *gated {
	require.NoError(t, cluster.Namespace(t.Context(), namespace))
	_, err := cluster.Admin().CoordinationV1().Leases(namespace).Create(t.Context(),
		&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "invoicer"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	client, err := singleton.NewClient(cluster.AdminConfig())
	require.NoError(t, err)
	g := &gated{T: t, namespace: namespace}
	g.elector, err = singleton.New(client, singleton.Config{
		Namespace: namespace, Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
		Fencing: singleton.FencingConfig{MaxRaise: 1 << 40},
	})
	require.NoError(t, err)
	g.gate, err = writegate.New(writegate.Config{
		Terms: g.elector,
		Stamp: []schema.GroupResource{{Resource: "configmaps"}, {Group: "apps", Resource: "deployments"}},
	})
	require.NoError(t, err)
	return g
}

// demand makes the API server demand tokens, and waits until it does.
func (g *gated) demand() {
	policy, binding, err := kubefence.Policy{
		Name: g.namespace, Scope: g.elector.Scope(), Resources: g.gate.Stamped(), Required: true,
		Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": g.namespace}},
	}.Build()
	require.NoError(g, err)
	admission := cluster.Admin().AdmissionregistrationV1()
	_, err = admission.ValidatingAdmissionPolicies().Create(g.Context(), policy, metav1.CreateOptions{})
	require.NoError(g, err)
	g.Cleanup(func() {
		_ = admission.ValidatingAdmissionPolicies().Delete(context.Background(), policy.Name, metav1.DeleteOptions{})
		_ = admission.ValidatingAdmissionPolicyBindings().Delete(context.Background(), binding.Name, metav1.DeleteOptions{})
	})
	_, err = admission.ValidatingAdmissionPolicyBindings().Create(g.Context(), binding, metav1.CreateOptions{})
	require.NoError(g, err)
	plain := cluster.Admin().CoreV1().ConfigMaps(g.namespace)
	require.Eventually(g, func() bool {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}
		_, err := plain.Create(g.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsForbidden(err)
	}, time.Minute, 100*time.Millisecond, "the policy takes effect")
}

// lead runs the elector until its term has begun. stop ends it.
func (g *gated) lead() (term *singleton.Term, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = g.elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil })
	})
	stop = func() { cancel(); running.Wait() }
	g.Cleanup(stop)
	bounded, end := context.WithTimeout(g.Context(), time.Minute)
	defer end()
	term, err := g.elector.WaitActive(bounded)
	require.NoError(g, err)
	return term, stop
}

func (g *gated) clients(contentType string) kubernetes.Interface {
	config := g.gate.Wrap(cluster.AdminConfig())
	config.ContentType = contentType
	clientset, err := kubernetes.NewForConfig(config)
	require.NoError(g, err)
	return clientset
}

// Each form of write lands with the term's token, so that a policy which demands one lets it
// through, and none lands after the term.
func TestGateStampsForAPolicy(t *testing.T) {
	g := newGated(t, "writegate")
	g.demand()
	term, stop := g.lead()
	ctx := t.Context()
	for name, contentType := range map[string]string{"json": "application/json", "protobuf": "application/vnd.kubernetes.protobuf"} {
		app := g.clients(contentType)
		maps := app.CoreV1().ConfigMaps(g.namespace)
		stamped := func(object metav1.Object, err error) {
			t.Helper()
			require.NoError(t, err)
			require.Equal(t, term.Token().String(), object.GetAnnotations()[kubefence.Annotation])
		}
		created, err := maps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"a": "b"}}, Data: map[string]string{"c": "d"},
		}, metav1.CreateOptions{})
		stamped(created, err)
		require.Equal(t, map[string]string{"a": "b"}, created.Labels)
		require.Equal(t, map[string]string{"c": "d"}, created.Data)
		delete(created.Annotations, kubefence.Annotation)
		stamped(maps.Update(ctx, created, metav1.UpdateOptions{}))
		for kind, patch := range map[types.PatchType]string{
			types.MergePatchType:          `{"data":{"e":"f"}}`,
			types.StrategicMergePatchType: `{"data":{"g":"h"}}`,
			types.JSONPatchType:           `[{"op":"add","path":"/data/i","value":"j"}]`,
		} {
			stamped(maps.Patch(ctx, name, kind, []byte(patch), metav1.PatchOptions{}))
		}
		stamped(maps.Apply(ctx, coreapply.ConfigMap(name, g.namespace).WithData(map[string]string{"k": "l"}),
			metav1.ApplyOptions{FieldManager: "one", Force: true}))

		deployments := app.AppsV1().Deployments(g.namespace)
		deployment, err := deployments.Create(ctx, deploymentOf(name), metav1.CreateOptions{})
		stamped(deployment, err)
		require.NoError(t, term.Raise(ctx, term.Token().Epoch)) // so that it must be stamped anew
		deployment.Status.ObservedGeneration = 7
		deployment, err = deployments.UpdateStatus(ctx, deployment, metav1.UpdateOptions{})
		stamped(deployment, err)
		require.EqualValues(t, 7, deployment.Status.ObservedGeneration)
		_, err = deployments.UpdateScale(ctx, name, &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: 3},
		}, metav1.UpdateOptions{})
		require.NoError(t, err, "a scale has no place for a token")
		require.NoError(t, deployments.Delete(ctx, name, metav1.DeleteOptions{}))
	}
	app := g.clients("")
	maps := app.CoreV1().ConfigMaps(g.namespace)
	require.NoError(t, app.CoreV1().RESTClient().Delete().Namespace(g.namespace).Resource("configmaps").Name("json").Do(ctx).Error(),
		"a delete without a body")
	_, err := cluster.Admin().CoreV1().ConfigMaps(g.namespace).Get(ctx, "json", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))

	stop()
	_, err = maps.Patch(ctx, "protobuf", types.MergePatchType, []byte(`{"data":{"late":"write"}}`), metav1.PatchOptions{})
	require.ErrorIs(t, err, writegate.ErrNotActive)
	require.ErrorIs(t, maps.Delete(ctx, "protobuf", metav1.DeleteOptions{}), writegate.ErrNotActive)
	left, err := maps.Get(ctx, "protobuf", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotContains(t, left.Data, "late")
}

func deploymentOf(name string) *appsv1.Deployment {
	app := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: app},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: app},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "main"}}},
		},
	}}
}

// What the gate's comment says about applies and JSON patches.
func TestGateLimits(t *testing.T) {
	g := newGated(t, "writegate-limits")
	term, _ := g.lead()
	ctx := t.Context()
	maps := g.clients("").CoreV1().ConfigMaps(g.namespace)
	apply := func(manager string, force bool) error {
		_, err := maps.Apply(ctx, coreapply.ConfigMap("x", g.namespace).WithData(map[string]string{manager: "1"}),
			metav1.ApplyOptions{FieldManager: manager, Force: force})
		return err
	}
	require.NoError(t, apply("one", false))
	require.NoError(t, apply("two", false), "both have the same token")
	require.NoError(t, term.Raise(ctx, term.Token().Epoch))
	err := apply("one", false)
	require.True(t, apierrors.IsConflict(err), "%v", err)
	require.ErrorContains(t, err, kubefence.Annotation)
	require.NoError(t, apply("one", true))

	// An object from before the gate, without annotations.
	plain := cluster.Admin().CoreV1().ConfigMaps(g.namespace)
	_, err = plain.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	patch := []byte(`[{"op":"add","path":"/data","value":{"a":"b"}}]`)
	_, err = maps.Patch(ctx, "bare", types.JSONPatchType, patch, metav1.PatchOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	bare, err := plain.Get(ctx, "bare", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, bare.Data)
}
