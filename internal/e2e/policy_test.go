//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// policed is a namespace that a policy guards.
type policed struct {
	fenced
	policy kubefence.Policy
}

// police makes a policy for a namespace of its own and returns once the API server
// enforces it.
func police(t *testing.T, change func(f fenced, p *kubefence.Policy)) policed {
	t.Helper()
	f := newFenced(t, sharedCluster(t))
	p := kubefence.Policy{
		Name: f.namespace, Scope: guardtest.Scope,
		Resources:  []schema.GroupResource{{Resource: "configmaps"}, {Group: "apps", Resource: "deployments"}},
		Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": f.namespace}},
	}
	if change != nil {
		change(f, &p)
	}
	policy, binding, err := p.Build()
	require.NoError(t, err)
	admission := f.Admin().AdmissionregistrationV1()
	t.Cleanup(func() {
		_ = admission.ValidatingAdmissionPolicyBindings().Delete(context.Background(), binding.Name, metav1.DeleteOptions{})
		_ = admission.ValidatingAdmissionPolicies().Delete(context.Background(), policy.Name, metav1.DeleteOptions{})
	})
	strict := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	_, err = admission.ValidatingAdmissionPolicies().Create(t.Context(), policy, strict)
	require.NoError(t, err)
	_, err = admission.ValidatingAdmissionPolicyBindings().Create(t.Context(), binding, strict)
	require.NoError(t, err)
	probe := configMap("probe")
	probe.Labels = map[string]string{"probe": "yes"}
	probe.Annotations = map[string]string{kubefence.Annotation: "probe"}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := f.maps().Create(t.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		require.ErrorContains(c, err, policy.Name)
		require.ErrorContains(c, err, "fencing: not a token of")
	}, endurance, 50*time.Millisecond)
	return policed{f, p}
}

func refusedAs(t *testing.T, err error, why string) {
	t.Helper()
	require.ErrorContains(t, err, "fencing: "+why)
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

// put is a client without the wrapper: it reads, sets the annotation and writes.
func (p policed) put(name, annotation string) error {
	m, err := p.maps().Get(p.t.Context(), name, metav1.GetOptions{})
	require.NoError(p.t, err)
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Annotations[kubefence.Annotation] = annotation
	_, err = p.maps().Update(p.t.Context(), m, metav1.UpdateOptions{})
	return err
}

// patch sets the annotation, or removes it if it is nil.
func (p policed) patch(name string, annotation any, sub ...string) error {
	_, err := p.maps().Patch(p.t.Context(), name, types.MergePatchType, metadata(annotation), metav1.PatchOptions{}, sub...)
	return err
}

func metadata(annotation any) []byte {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{kubefence.Annotation: annotation}}})
	if err != nil {
		panic(err)
	}
	return data
}

func text(epoch any) string {
	return fmt.Sprintf("%s@%v.%s", guardtest.Scope, epoch, guardtest.Token(5, 0).Term)
}

// TestPolicy: what the API server refuses by itself, to clients that know nothing
// of kubefence.
func TestPolicy(t *testing.T) {
	p := police(t, nil)

	t.Run("order", func(t *testing.T) {
		// Neither by length alone, nor as text, nor as doubles; each as exact as int64.
		for i, epochs := range [][2]string{
			{"9", "10"}, {"99", "100"}, {"5", "6"}, {"2147483647", "2147483648"}, {"9007199254740992", "9007199254740993"},
			{"999999999999999999", "1000000000000000000"}, {"9223372036854775806", "9223372036854775807"},
		} {
			name := fmt.Sprint("order-", i)
			p.create(name)
			require.NoError(t, p.put(name, text(epochs[0])))
			require.NoError(t, p.put(name, text(epochs[0])), "the same again")
			require.NoError(t, p.put(name, text(epochs[1])))
			refusedAs(t, p.put(name, text(epochs[0])), "stale token: presented "+text(epochs[0])+", the object's mark "+text(epochs[1]))
			refusedAs(t, p.patch(name, text(epochs[0])), "stale token")
			other := guardtest.Scope + "@" + epochs[1] + "." + guardtest.Token(5, 1).Term
			refusedAs(t, p.put(name, other), "another term has this epoch")
			require.NoError(t, p.put(name, text(epochs[1])))
		}
	})

	t.Run("malformed", func(t *testing.T) {
		p.create("malformed")
		require.NoError(t, p.put("malformed", text(5)))
		term := guardtest.Token(5, 0).Term
		for _, bad := range []string{
			"", "6", text(""), text("0"), text("-6"), text("+6"), text("007"), text("6.0"), text("6e3"), text(" 6"), text("abc"), text("٦"),
			text("9223372036854775808"), text("9999999999999999999"), text("1234567890123456789012345678901234567890"),
			text(6) + "\n", " " + text(6), text(6) + "0", strings.TrimSuffix(text(6), "5"), strings.ToUpper(text(6)),
			"shop/other@6." + term, "shop/invoicer-2@6." + term, "shopXinvoicer@6." + term, "@6." + term,
		} {
			refusedAs(t, p.put("malformed", bad), "not a token of shop/invoicer")
			refusedAs(t, p.patch("malformed", bad), "not a token of shop/invoicer")
			_, err := p.maps().Create(t.Context(), withAnnotation(configMap("new"), bad), metav1.CreateOptions{})
			refusedAs(t, err, "not a token of shop/invoicer")
		}
		require.NoError(t, p.put("malformed", text(6)))
	})

	t.Run("removal", func(t *testing.T) {
		p.create("removal", second)
		m, err := p.maps().Get(t.Context(), "removal", metav1.GetOptions{})
		require.NoError(t, err)
		m.Annotations = nil
		_, err = p.maps().Update(t.Context(), m, metav1.UpdateOptions{})
		refusedAs(t, err, "the mark must not be removed")
		m.ResourceVersion = "" // and by a blind write
		_, err = p.maps().Update(t.Context(), m, metav1.UpdateOptions{})
		refusedAs(t, err, "the mark must not be removed")
		refusedAs(t, p.patch("removal", nil), "the mark must not be removed")
		_, err = p.maps().Patch(t.Context(), "removal", types.JSONPatchType, []byte(`[{"op":"remove","path":"/metadata/annotations"}]`), metav1.PatchOptions{})
		refusedAs(t, err, "the mark must not be removed")
	})

	t.Run("apply", func(t *testing.T) {
		p.create("apply", second)
		apply := func(annotations string) error {
			_, err := p.maps().Patch(t.Context(), "apply", types.ApplyPatchType,
				fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"apply"%s},"data":{"a":"b"}}`, annotations),
				metav1.PatchOptions{FieldManager: "test", Force: new(true)})
			return err
		}
		refusedAs(t, apply(fmt.Sprintf(`,"annotations":{%q:%q}`, kubefence.Annotation, first)), "stale token")
		third := guardtest.Token(3, 0)
		require.NoError(t, apply(fmt.Sprintf(`,"annotations":{%q:%q}`, kubefence.Annotation, third)))
		refusedAs(t, apply(""), "the mark must not be removed") // it was the manager's field
	})

	t.Run("others", func(t *testing.T) {
		// Who states no token changes no mark and is let through, as are objects without one.
		p.create("plain")
		p.create("others", second)
		for _, name := range []string{"plain", "others"} {
			_, err := p.maps().Patch(t.Context(), name, types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, p.maps().Delete(t.Context(), "others", metav1.DeleteOptions{}))
	})

	t.Run("subresources", func(t *testing.T) {
		deployments := p.Admin().AppsV1().Deployments(p.namespace)
		d := deployment("d")
		d.Annotations = map[string]string{kubefence.Annotation: second.String()}
		_, err := deployments.Create(t.Context(), d, metav1.CreateOptions{})
		require.NoError(t, err)
		for annotation, why := range map[any]string{first.String(): "stale token", nil: "the mark must not be removed", "x": "not a token"} {
			_, err = deployments.Patch(t.Context(), "d", types.MergePatchType, metadata(annotation), metav1.PatchOptions{}, "status")
			refusedAs(t, err, why)
		}
		scale, err := deployments.GetScale(t.Context(), "d", metav1.GetOptions{})
		require.NoError(t, err)
		scale.Spec.Replicas = 2
		_, err = deployments.UpdateScale(t.Context(), "d", scale, metav1.UpdateOptions{})
		require.NoError(t, err, "a scale states no token: see Scalers")
	})

	t.Run("with the wrapper", func(t *testing.T) {
		p.create("wrapped")
		objects := p.objects()
		guard, err := kubefence.NewGuard(objects.Object("wrapped"))
		require.NoError(t, err)
		require.NoError(t, guard.Announce(t.Context(), first))
		set := func(token fencing.Token) error {
			_, err := objects.Update(t.Context(), token, "wrapped", func(m *corev1.ConfigMap) error {
				m.Data = map[string]string{"by": token.String()}
				return nil
			})
			return err
		}
		require.NoError(t, set(first))
		require.NoError(t, set(second))
		stale(t, set(first))
		_, err = objects.Create(t.Context(), second, configMap("created"))
		require.NoError(t, err)
		require.NoError(t, objects.Delete(t.Context(), second, "created", metav1.DeleteOptions{}))
	})
}

func withAnnotation(m *corev1.ConfigMap, text string) *corev1.ConfigMap {
	m.Annotations = map[string]string{kubefence.Annotation: text}
	return m
}

// TestPolicyOnDamagedMarks: what was there before the policy and is no mark stays
// locked.
func TestPolicyOnDamagedMarks(t *testing.T) {
	p := police(t, func(f fenced, _ *kubefence.Policy) {
		_, err := f.maps().Create(t.Context(), withAnnotation(configMap("damaged"), text("007")), metav1.CreateOptions{})
		require.NoError(t, err)
		_, err = f.maps().Create(t.Context(), withAnnotation(configMap("foreign"), "shop/other@1."+first.Term), metav1.CreateOptions{})
		require.NoError(t, err)
	})
	for _, name := range []string{"damaged", "foreign"} {
		refusedAs(t, p.put(name, text(9)), "the object's mark is not a token of shop/invoicer")
		refusedAs(t, p.patch(name, nil), "the object's mark is not a token of shop/invoicer")
	}
}

// TestPolicyForUsers: deletes and scales carry no token; only some may.
func TestPolicyForUsers(t *testing.T) {
	var trusted, other kubernetes.Interface
	p := police(t, func(f fenced, p *kubefence.Policy) {
		trusted, other = f.editor("invoicer"), f.editor("other")
		p.Required = true
		p.Objects = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "free", Operator: metav1.LabelSelectorOpDoesNotExist}}}
		p.Deleters = []string{"system:serviceaccount:" + f.namespace + ":invoicer"}
		p.Scalers = p.Deleters
	})
	maps := func(c kubernetes.Interface) interface {
		Delete(context.Context, string, metav1.DeleteOptions) error
		DeleteCollection(context.Context, metav1.DeleteOptions, metav1.ListOptions) error
		Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)
	} {
		return c.CoreV1().ConfigMaps(p.namespace)
	}
	_, err := maps(trusted).Create(t.Context(), configMap("m"), metav1.CreateOptions{})
	refusedAs(t, err, "no token")
	free := configMap("free")
	free.Labels = map[string]string{"free": ""}
	_, err = maps(trusted).Create(t.Context(), free, metav1.CreateOptions{})
	require.NoError(t, err, "not selected")
	p.create("m", first)

	refusedAs(t, maps(other).Delete(t.Context(), "m", metav1.DeleteOptions{}), "this user may not delete an object with a mark")
	refusedAs(t, maps(other).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=m"}), "this user may not delete an object with a mark")
	require.NoError(t, maps(trusted).Delete(t.Context(), "m", metav1.DeleteOptions{}))

	d := deployment("d")
	d.Annotations = map[string]string{kubefence.Annotation: first.String()}
	_, err = trusted.AppsV1().Deployments(p.namespace).Create(t.Context(), d, metav1.CreateOptions{})
	require.NoError(t, err)
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: p.namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
	_, err = other.AppsV1().Deployments(p.namespace).UpdateScale(t.Context(), "d", scale, metav1.UpdateOptions{})
	refusedAs(t, err, "this user may not scale a guarded object")
	_, err = trusted.AppsV1().Deployments(p.namespace).UpdateScale(t.Context(), "d", scale, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// editor is a client of a ServiceAccount that may edit everything in the namespace.
func (f fenced) editor(account string) kubernetes.Interface {
	config, err := f.Account(f.t.Context(), f.namespace, account)
	require.NoError(f.t, err)
	rbac := f.Admin().RbacV1()
	_, err = rbac.Roles(f.namespace).Create(f.t.Context(), &rbacv1.Role{ // the ClusterRole edit is empty where no controllers run
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}},
			podRules(),
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", "deployments/scale"}, Verbs: []string{"*"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f.t, err)
	_, err = rbac.RoleBindings(f.namespace).Create(f.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: f.namespace, Name: account}},
	}, metav1.CreateOptions{})
	require.NoError(f.t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(f.t, err)
	return client
}

// TestPolicyWithAnnouncement: a token below the announced one is refused also
// where the later term has not written yet, once the API server's cache has it.
func TestPolicyWithAnnouncement(t *testing.T) {
	p := police(t, func(f fenced, p *kubefence.Policy) {
		f.create("mark")
		p.Objects = &metav1.LabelSelector{MatchLabels: map[string]string{"probe": "yes"}}
		p.Announced = &kubefence.Announced{APIVersion: "v1", Kind: "ConfigMap", Namespace: f.namespace, Name: "mark"}
	})
	labelled := func(name string, token fencing.Token) *corev1.ConfigMap {
		m := configMap(name, token)
		m.Labels = map[string]string{"probe": "yes"}
		return m
	}
	create := func(m *corev1.ConfigMap) error {
		_, err := p.maps().Create(t.Context(), m, metav1.CreateOptions{})
		return err
	}
	objects := p.objects()
	guard, err := kubefence.NewGuard(objects.Object("mark"))
	require.NoError(t, err)
	require.NoError(t, guard.Announce(t.Context(), first))
	require.NoError(t, create(labelled("m", first)))
	require.NoError(t, guard.Announce(t.Context(), second))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.ErrorContains(c, p.put("m", first.String()), "fencing: stale token: presented "+first.String()+", the announced mark "+second.String())
	}, endurance, 10*time.Millisecond)
	refusedAs(t, create(labelled("n", first)), "stale token")
	refusedAs(t, create(labelled("n", guardtest.Token(2, 1))), "another term has this epoch")
	require.NoError(t, create(labelled("n", second)))
	require.NoError(t, p.put("m", second.String()))

	// Without the announced object nothing can be judged.
	require.NoError(t, p.maps().Delete(t.Context(), "mark", metav1.DeleteOptions{}))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.ErrorContains(c, p.put("m", guardtest.Token(3, 0).String()), p.policy.Name)
	}, endurance, 10*time.Millisecond)
}
