//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/route"
)

// routed is a shop whose replicas are Pods, as far as the API server knows.
type routed struct {
	shop
	active atomic.Int32 // at most so many Pods had the label at one version
}

// openRouted gives the replicas one more rule.
func openRouted(t *testing.T, rule rbacv1.PolicyRule) *routed {
	return &routed{shop: openShop(t, sharedCluster(t), func(r *rbacv1.Role) { r.Rules = append(r.Rules, rule) })}
}

func (s *routed) pod(name string) *corev1.Pod {
	pod, err := s.Admin().CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "invoicer"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: new(bool), SchedulerName: "nobody",
			Containers: []corev1.Container{{Name: "c", Image: "example.com/c:1"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return pod
}

// as is the configuration of a client in the Pod, with the Pod's own token.
func (s *routed) as(pod *corev1.Pod) *rest.Config {
	config := s.config()
	token, err := s.Admin().CoreV1().ServiceAccounts(s.namespace).CreateToken(s.t.Context(), account, &authv1.TokenRequest{
		Spec: authv1.TokenRequestSpec{BoundObjectRef: &authv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID,
		}},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	config.BearerToken = token.Status.Token
	return config
}

// audit counts the Pods with the label at each version from now on.
func (s *routed) audit() {
	pods := s.Admin().CoreV1().Pods(s.namespace)
	list, err := pods.List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	w, err := pods.Watch(s.t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(s.t, err)
	ended := make(chan struct{})
	s.t.Cleanup(func() { w.Stop(); <-ended })
	go func() {
		defer close(ended)
		labelled := map[string]bool{}
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			delete(labelled, pod.Name)
			if pod.Labels[route.DefaultKey] == route.Active && event.Type != watch.Deleted {
				labelled[pod.Name] = true
			}
			s.active.Store(max(s.active.Load(), int32(len(labelled)))) //nolint:gosec // a few
		}
	}()
}

// run runs a replica in the Pod.
func (s *routed) run(config *rest.Config, pod *corev1.Pod, way func(route.Client, route.Options) (*route.Router, error), told func(error)) (stop func()) {
	client, err := singleton.NewClient(config)
	require.NoError(s.t, err)
	elector, err := singleton.New(client, singleton.Config{
		Name: leaseName, Namespace: s.namespace, Replica: singleton.ReplicaConfig{Identity: pod.Name},
		Timing: lease.Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(s.t, err)
	router, err := way(client, route.Options{
		Pod: route.Pod{
			Namespace: s.namespace, Name: pod.Name, UID: pod.UID, IPs: []netip.Addr{netip.MustParseAddr("10.1.2.3")},
		},
		OnError: told, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- elector.Run(ctx, router.Work(func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil }))
	}()
	var stopped atomic.Bool
	stop = func() {
		if cancel(); stopped.CompareAndSwap(false, true) {
			assert.NoError(s.t, <-done)
		}
	}
	s.t.Cleanup(stop)
	return stop
}

func byLabel(c route.Client, o route.Options) (*route.Router, error) {
	return route.ByLabel(c, route.LabelConfig{Options: o, Pods: "app=invoicer"})
}

func bySlice(c route.Client, o route.Options) (*route.Router, error) {
	return route.BySlice(c, route.SliceConfig{Options: o, Service: "invoicer"})
}

// labelled waits until only that Pod has the label.
func (s *routed) labelled(name string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		list, err := s.Admin().CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: route.DefaultKey + "=" + route.Active})
		return err == nil && len(list.Items) == 1 && list.Items[0].Name == name
	}, patience, 20*time.Millisecond)
}

// TestRouteByLabel: list and patch on Pods are all that it takes, under the policy that is shipped
// for it. The policy refuses everything else that patch allows.
func TestRouteByLabel(t *testing.T) {
	s := openRouted(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "patch"}})
	a, b := s.pod("a"), s.pod("b")
	s.labelPolicy()
	inA, inB := s.as(a), s.as(b)
	patch := func(config *rest.Config, pod, text string) error {
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		_, err = client.CoreV1().Pods(s.namespace).Patch(t.Context(), pod, types.StrategicMergePatchType, []byte(text), metav1.PatchOptions{
			DryRun: []string{metav1.DryRunAll},
		})
		return err
	}
	const give = `{"metadata":{"labels":{"hotseat-go.github.io/role":"active"}}}`
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.ErrorContains(c, patch(inA, "b", give), "may label only its own Pod")
	}, patience, 50*time.Millisecond)
	require.NoError(t, patch(inA, "a", give))
	const cost = `{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"7","hotseat-go.github.io/pod-deletion-cost":"7"}}}`
	require.NoError(t, patch(inA, "a", cost), "singleton/rollout sets it")
	for name, test := range map[string]struct {
		config    *rest.Config
		pod, text string
		why       string
	}{
		"a token of no Pod": {s.config(), "a", give, "may label only its own Pod"},
		"another value":     {inA, "a", `{"metadata":{"labels":{"hotseat-go.github.io/role":"x"}}}`, "may label only its own Pod"},
		"another label":     {inA, "a", `{"metadata":{"labels":{"app":"other"}}}`, "no other label"},
		"no label":          {inA, "b", `{"metadata":{"labels":{"app":null}}}`, "no other label"},
		"an annotation":     {inA, "a", `{"metadata":{"annotations":{"x":"y"}}}`, "no annotation"},
		"another's cost":    {inA, "b", cost, "no annotation"},
		"the image":         {inA, "b", `{"spec":{"containers":[{"name":"c","image":"example.com/c:2"}]}}`, "nothing else"},
		"finalizers":        {inA, "b", `{"metadata":{"finalizers":["example.com/x"]}}`, "nothing else"},
	} {
		err := patch(test.config, test.pod, test.text)
		require.True(t, apierrors.IsForbidden(err), "%s: %v", name, err)
		require.ErrorContains(t, err, test.why, name)
	}

	s.audit()
	fail := func(err error) { assert.NoError(t, err) }
	stop := s.run(inA, a, byLabel, fail)
	s.labelled("a")
	had, err := s.Admin().CoreV1().Pods(s.namespace).Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	mark := had.Annotations[route.DefaultKey+"-term"]
	require.NotEmpty(t, mark)
	s.run(inB, b, byLabel, fail)
	stop()
	s.labelled("b")
	// What a had sent before, and arrives now.
	client, err := kubernetes.NewForConfig(inA)
	require.NoError(t, err)
	_, err = client.CoreV1().Pods(s.namespace).Patch(t.Context(), "a", types.JSONPatchType, fmt.Appendf(nil,
		`[{"op":"test","path":"/metadata/annotations/hotseat-go.github.io~1role-term","value":%q},
		{"op":"add","path":"/metadata/labels/hotseat-go.github.io~1role","value":"active"}]`, mark), metav1.PatchOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.EqualValues(t, 1, s.active.Load())
}

// TestRouteByLabelRefused: a right that is missing is told, and the replica stays active.
func TestRouteByLabelRefused(t *testing.T) {
	s := openRouted(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
	told := make(chan error, 16)
	a := s.pod("a")
	s.run(s.as(a), a, byLabel, func(err error) { told <- err })
	select {
	case err := <-told:
		require.ErrorIs(t, err, route.ErrRefused)
		require.ErrorContains(t, err, `cannot patch resource "pods"`)
	case <-time.After(patience):
		t.Fatal("nothing was told")
	}
}

// labelPolicy applies the policy of the component.
func (s *routed) labelPolicy() {
	text, err := os.ReadFile(deployFolder + "/components/traffic-by-label/label-policy.yaml")
	require.NoError(s.t, err)
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	admission, o := s.Admin().AdmissionregistrationV1(), metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(s.t, err)
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		require.NoError(s.t, err)
		switch x := object.(type) {
		case *admissionv1.ValidatingAdmissionPolicy:
			s.t.Cleanup(func() {
				_ = admission.ValidatingAdmissionPolicies().Delete(context.Background(), x.Name, metav1.DeleteOptions{})
			})
			_, err = admission.ValidatingAdmissionPolicies().Create(s.t.Context(), x, o)
		case *admissionv1.ValidatingAdmissionPolicyBinding:
			s.t.Cleanup(func() {
				_ = admission.ValidatingAdmissionPolicyBindings().Delete(context.Background(), x.Name, metav1.DeleteOptions{})
			})
			_, err = admission.ValidatingAdmissionPolicyBindings().Create(s.t.Context(), x, o)
		default:
			s.t.Fatalf("the policy is a %T", object)
		}
		require.NoError(s.t, err)
	}
}

// TestRouteBySlice: what the guide lists is all that it takes; create cannot be given for a name.
func TestRouteBySlice(t *testing.T) {
	s := openRouted(t, rbacv1.PolicyRule{
		APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "patch"},
		ResourceNames: route.SliceNames("invoicer"),
	})
	change := func(rules ...rbacv1.PolicyRule) {
		roles := s.Admin().RbacV1().Roles(s.namespace)
		list, err := roles.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		list.Items[0].Rules = append(list.Items[0].Rules, rules...)
		_, err = roles.Update(t.Context(), &list.Items[0], metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	_, err := s.Admin().CoreV1().Services(s.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "invoicer"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	told := make(chan error, 16)
	refused := func(what string) {
		t.Helper()
		select {
		case err := <-told:
			require.ErrorIs(t, err, route.ErrRefused)
			require.ErrorContains(t, err, what)
		case <-time.After(patience):
			t.Fatal("nothing was told")
		}
	}
	tell := func(err error) { told <- err }
	a, b := s.pod("a"), s.pod("b")
	stop := s.run(s.as(a), a, bySlice, tell)
	refused(`cannot get resource "services"`)
	stop()
	change(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}, ResourceNames: []string{"invoicer"}})
	stop = s.run(s.as(a), a, bySlice, tell)
	refused(`cannot create resource "endpointslices"`)
	stop()
	change(rbacv1.PolicyRule{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"create"}})
	is := func(name string) {
		t.Helper()
		require.Eventually(t, func() bool {
			slice, err := s.Admin().DiscoveryV1().EndpointSlices(s.namespace).Get(t.Context(), "invoicer-active-ipv4", metav1.GetOptions{})
			return err == nil && len(slice.Endpoints) == 1 && slice.Endpoints[0].TargetRef.Name == name && *slice.Ports[0].Port == 80
		}, patience, 20*time.Millisecond)
	}
	stop = s.run(s.as(a), a, bySlice, tell)
	is("a")
	s.run(s.as(b), b, bySlice, tell)
	stop()
	is("b")
	require.Empty(t, told)
}
