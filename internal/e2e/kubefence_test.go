//go:build unix

package e2e

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// fenced is a namespace for fenced objects.
type fenced struct {
	*controlplane.Cluster
	t         testing.TB
	namespace string
}

func newFenced(t testing.TB, c *controlplane.Cluster) fenced {
	t.Helper()
	f := fenced{c, t, "fenced-" + strings.ToLower(rand.Text()[:8])}
	require.NoError(t, c.Namespace(t.Context(), f.namespace))
	t.Cleanup(func() {
		_ = c.Admin().CoreV1().Namespaces().Delete(context.Background(), f.namespace, metav1.DeleteOptions{})
	})
	return f
}

func (f fenced) maps() typed.ConfigMapInterface { return f.Admin().CoreV1().ConfigMaps(f.namespace) }

func (f fenced) create(name string, mark ...fencing.Token) *corev1.ConfigMap {
	f.t.Helper()
	m, err := f.maps().Create(f.t.Context(), configMap(name, mark...), metav1.CreateOptions{})
	require.NoError(f.t, err)
	return m
}

func configMap(name string, mark ...fencing.Token) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, t := range mark {
		m.Annotations = map[string]string{kubefence.Annotation: t.String()}
	}
	return m
}

func (f fenced) objects() *kubefence.Objects[*corev1.ConfigMap] {
	return newObjects(f.t, kubefence.Client[*corev1.ConfigMap](f.maps()))
}

func newObjects[T metav1.Object](t testing.TB, client kubefence.Client[T]) *kubefence.Objects[T] {
	objects, err := kubefence.New(client, kubefence.Config{Scope: guardtest.Scope})
	require.NoError(t, err)
	return objects
}

// mapRegister is a register in a ConfigMap, which announcements stamp.
type mapRegister struct {
	fenced
	apart bool // the mark is an object of its own
	odds  int  // of losing a connection
}

func (r mapRegister) Client(t testing.TB) guardtest.Client {
	config := r.AdminConfig()
	config.Host = "https://" + guardtest.NewLink(t, r.Address(), r.odds).Addr()
	kubefence.SendOnce(config)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	maps := client.CoreV1().ConfigMaps(r.namespace)
	objects, err := kubefence.New(maps, kubefence.Config{Scope: guardtest.Scope})
	require.NoError(t, err)
	marks := []kubefence.Object{objects.Object("register")}
	if r.apart {
		marks = []kubefence.Object{objects.Object("mark"), marks[0]}
	}
	guard, err := kubefence.NewGuard(marks[0], marks[1:]...)
	require.NoError(t, err)
	return mapClient{guard, objects, maps, r.apart}
}

type mapClient struct {
	*kubefence.Guard
	objects *kubefence.Objects[*corev1.ConfigMap]
	maps    typed.ConfigMapInterface
	apart   bool
}

func (c mapClient) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	if c.apart {
		if err := c.Check(ctx, t); err != nil {
			return err
		}
	}
	_, err := c.objects.Update(ctx, t, "register", func(m *corev1.ConfigMap) error {
		between()
		m.Data = map[string]string{"value": value}
		return nil
	})
	return err
}

func (c mapClient) Read(ctx context.Context) (string, error) {
	m, err := c.maps.Get(ctx, "register", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return m.Data["value"], nil
}

// TestKubefence: what every guard must keep, on the real API server, over
// connections that are lost.
func TestKubefence(t *testing.T) {
	c := sharedCluster(t)
	if !c.Ours() {
		t.Skip("loses connections to 127.0.0.1: run without -kubeconfig and $KUBECONFIG")
	}
	for name, apart := range map[string]bool{"the object itself": false, "a mark and announced objects": true} {
		suite := func(odds int) guardtest.Suite {
			return guardtest.Suite{
				New: func(t testing.TB) guardtest.Subject {
					r := mapRegister{newFenced(t, c), apart, odds}
					r.create("mark")
					r.create("register")
					return r
				},
				Damage: func(t testing.TB, s guardtest.Subject, text string) {
					r, name := s.(mapRegister), "register"
					if apart {
						name = "mark"
					}
					m, err := r.maps().Get(t.Context(), name, metav1.GetOptions{})
					require.NoError(t, err)
					m.Annotations[kubefence.Annotation] = guardtest.Scope + "@" + text + "." + guardtest.Token(5, 0).Term
					_, err = r.maps().Update(t.Context(), m, metav1.UpdateOptions{})
					require.NoError(t, err)
				},
			}
		}
		hammer, load := 30*time.Second, guardtest.Load{}
		if testing.Short() || apart {
			hammer, load.Rounds = 5*time.Second, 3
		}
		t.Run(name, func(t *testing.T) {
			t.Run("Conformance", suite(0).Conformance)
			t.Run("Hammer", func(t *testing.T) { suite(0).Hammer(t, hammer) })
			t.Run("Linearizable", func(t *testing.T) { suite(40).Linearizable(t, load) })
		})
	}
}

var first, second = guardtest.Token(1, 0), guardtest.Token(2, 0)

func stale(t *testing.T, err error) {
	t.Helper()
	var stale *fencing.StaleError
	require.ErrorAs(t, err, &stale)
	require.Equal(t, fencing.StaleError{Presented: first, Mark: second}, *stale)
}

// outrun lets a later term stamp a ConfigMap, once.
func (f fenced) outrun(name string) func() {
	done := false
	return func() {
		if !done {
			done = true
			_, err := f.objects().Update(f.t.Context(), second, name, func(*corev1.ConfigMap) error { return nil })
			require.NoError(f.t, err)
		}
	}
}

func TestKubefenceApply(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	f.create("m")
	config := func(value string) *applycorev1.ConfigMapApplyConfiguration {
		return applycorev1.ConfigMap("m", f.namespace).WithData(map[string]string{"value": value})
	}
	apply := metav1.ApplyOptions{FieldManager: "invoicer"}
	objects := f.objects()
	for _, value := range []string{"a", "b"} {
		m, err := objects.Apply(t.Context(), first, "m", config(value), apply)
		require.NoError(t, err)
		require.Equal(t, value, m.Data["value"])
		require.Equal(t, first.String(), m.Annotations[kubefence.Annotation])
	}
	// The next term's replica is the same manager: no conflict over the mark.
	m, err := objects.Apply(t.Context(), second, "m", config("c"), apply)
	require.NoError(t, err)
	require.Equal(t, second.String(), m.Annotations[kubefence.Annotation])
	_, err = objects.Apply(t.Context(), first, "m", config("stale"), metav1.ApplyOptions{FieldManager: "invoicer", Force: true})
	stale(t, err)

	// A field of somebody else's is a lasting conflict, and no reason to try again.
	_, err = objects.Apply(t.Context(), second, "m", config("d"), metav1.ApplyOptions{FieldManager: "another"})
	require.True(t, apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict), "%v", err)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)

	// The server compares the version that the apply names.
	maps := &interfering{ConfigMapInterface: f.maps(), before: f.outrun("n")}
	f.create("n")
	_, err = newObjects(t, kubefence.Client[*corev1.ConfigMap](maps)).Apply(t.Context(), first, "n",
		applycorev1.ConfigMap("n", f.namespace).WithData(map[string]string{"value": "stale"}), metav1.ApplyOptions{FieldManager: "invoicer", Force: true})
	stale(t, err)
	n, err := f.maps().Get(t.Context(), "n", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, n.Data)

	// A missing object is not made, nor one that went away after the comparison.
	_, err = objects.Apply(t.Context(), second, "missing", applycorev1.ConfigMap("missing", f.namespace), apply)
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	gone := &interfering{ConfigMapInterface: f.maps(), before: func() {
		require.NoError(t, unlessGone(f.maps().Delete(t.Context(), "n", metav1.DeleteOptions{})))
	}}
	_, err = newObjects(t, kubefence.Client[*corev1.ConfigMap](gone)).Apply(t.Context(), second, "n",
		applycorev1.ConfigMap("n", f.namespace).WithData(map[string]string{"value": "back"}), apply)
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	_, err = f.maps().Get(t.Context(), "n", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// interfering lets something happen right before each patch.
type interfering struct {
	typed.ConfigMapInterface
	before func()
}

func (i *interfering) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*corev1.ConfigMap, error) {
	i.before()
	return i.ConfigMapInterface.Patch(ctx, name, kind, data, o, sub...)
}

func (i *interfering) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	i.before()
	return i.ConfigMapInterface.Delete(ctx, name, o)
}

func TestKubefenceDelete(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	f.create("m")
	maps := &interfering{ConfigMapInterface: f.maps(), before: f.outrun("m")}
	err := newObjects(t, kubefence.Client[*corev1.ConfigMap](maps)).Delete(t.Context(), first, "m", metav1.DeleteOptions{})
	stale(t, err)
	stale(t, f.objects().Delete(t.Context(), first, "m", metav1.DeleteOptions{}))
	require.NoError(t, f.objects().Delete(t.Context(), second, "m", metav1.DeleteOptions{}))
	require.True(t, apierrors.IsNotFound(f.objects().Delete(t.Context(), second, "m", metav1.DeleteOptions{})))

	// Another object of the name is not the one that was compared.
	f.create("n")
	again := &interfering{ConfigMapInterface: f.maps(), before: func() {
		require.NoError(t, f.maps().Delete(t.Context(), "n", metav1.DeleteOptions{}))
		f.create("n", second)
	}}
	stale(t, newObjects(t, kubefence.Client[*corev1.ConfigMap](again)).Delete(t.Context(), first, "n", metav1.DeleteOptions{}))
}

// TestKubefenceSubresources: the server compares the resourceVersion of the whole
// object also when its status or scale is written.
func TestKubefenceSubresources(t *testing.T) {
	f := newFenced(t, sharedCluster(t))
	deployments := f.Admin().AppsV1().Deployments(f.namespace)
	_, err := deployments.Create(t.Context(), deployment("d"), metav1.CreateOptions{})
	require.NoError(t, err)
	objects := newObjects(t, kubefence.Client[*appsv1.Deployment](deployments))
	later := func() {
		_, err := objects.Update(t.Context(), second, "d", func(*appsv1.Deployment) error { return nil })
		require.NoError(t, err)
	}
	scale := func(t *testing.T, token fencing.Token, replicas int32, before func()) error {
		return objects.Stamped(t.Context(), token, "d", func(ctx context.Context, d *appsv1.Deployment) error {
			before()
			_, err := deployments.UpdateScale(ctx, "d", &autoscalingv1.Scale{
				ObjectMeta: metav1.ObjectMeta{Name: d.Name, Namespace: d.Namespace, UID: d.UID, ResourceVersion: d.ResourceVersion},
				Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
			}, metav1.UpdateOptions{})
			return err
		})
	}
	status := func(t *testing.T, token fencing.Token, replicas int32, before func()) error {
		return objects.Stamped(t.Context(), token, "d", func(ctx context.Context, d *appsv1.Deployment) error {
			before()
			d.Status.Replicas = replicas
			_, err := deployments.UpdateStatus(ctx, d, metav1.UpdateOptions{})
			return err
		})
	}
	require.NoError(t, scale(t, first, 5, func() {}))
	require.NoError(t, status(t, first, 5, func() {}))
	stale(t, scale(t, first, 7, later))
	stale(t, status(t, first, 7, later))
	require.NoError(t, scale(t, second, 6, func() {}))
	require.NoError(t, status(t, second, 6, func() {}))
	stale(t, scale(t, first, 7, func() {}))
	d, err := deployments.Get(t.Context(), "d", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 6, *d.Spec.Replicas)
	require.EqualValues(t, 6, d.Status.Replicas)
	require.Equal(t, second.String(), d.Annotations[kubefence.Annotation])
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/c"}}},
			},
		},
	}
}
