package kubefence

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/hotseat-go/hotseat/fencing"
)

// Policy generates a ValidatingAdmissionPolicy and its binding. With them the API server itself
// guards the marks of objects, even against clients that do not use this package. The policy judges
// creates, updates, patches and applies of the selected objects. It refuses
//
//   - a token below the object's mark, or one of another term with the mark's epoch,
//   - a write that removes the mark,
//   - an annotation that is no token, or a token of another scope than Scope,
//   - any write to an object whose mark is no token of Scope. To repair the mark, remove the policy
//     first.
//
// Admission runs on the stored object, in the same compare-and-swap as the write. So, as with
// the type [Objects], no write comes between check and effect. Refusals are 403 Forbidden. The
// policy has failurePolicy Fail: if it cannot be evaluated, nothing is written.
//
// # What it cannot see
//
// A write that leaves the mark unchanged is admitted. Its writer may be of any term: a patch need
// not name the annotation, and an update may just send back the annotation that it has read. Only
// writers that state their own token are fenced.
//
// A delete carries no token. Deleters restricts who may delete. It also restricts who may change
// the owners of an object, because the garbage collector deletes an object whose owner does not
// exist. An object is still deleted together with its owner, and with its namespace. For admission,
// the eviction of a Pod is not a delete.
//
// A scale request carries no token either. It does not show the mark or the labels of the object.
// Scalers restricts who may scale.
//
// Status updates of most built-in kinds carry annotations, and are guarded. In status updates of
// custom resources, and of a few built-in kinds such as resourceclaims and volumeattachments, the
// server ignores annotations. So the policy admits stale status updates of these. Write such a
// status with [Objects.Stamped]. The server also ignores annotations in pods/resize and
// pods/ephemeralcontainers. If the Pod has a mark, the policy allows these to Scalers only.
//
// Objects and Namespaces select by labels. Whoever may change these labels can take an object out
// of the policy.
type Policy struct {
	// Name is the name of the policy, and of its binding.
	Name string

	// Scope is [fencing.Scope] of the Lease.
	Scope string

	// Resources that the policy guards, with all their subresources: {Resource: "configmaps"}, {Group:
	// "apps", Resource: "deployments"}.
	Resources []schema.GroupResource

	// Namespaces and Objects select by label what is guarded. A nil selector selects all, but only one
	// of the two may be nil. To guard all objects of the cluster, set one of them to
	// &metav1.LabelSelector{}. A namespace has its name in the label kubernetes.io/metadata.name.
	Namespaces, Objects *metav1.LabelSelector

	// Required also refuses creates and updates without a mark: every writer must state a token.
	// Otherwise objects that were never written with a token are not guarded.
	Required bool

	// Deleters are the users who may delete objects that have a mark, and may change their
	// ownerReferences: for example "system:serviceaccount:shop:invoicer". The cluster's garbage
	// collector and namespace controller always may. If a controller adopts objects, list its user
	// here too. If Deleters is empty, only RBAC decides.
	Deleters []string

	// Scalers are the users who may write the scale subresource. If Scalers is empty, only RBAC
	// decides. A scale request does not show the labels of the object. So if Scalers is set, the
	// selector in Objects must also match an object without labels, or Build fails. And nobody but the
	// Scalers may then scale any object of Resources in the selected namespaces, whatever its labels.
	// (This does not apply if Resources is just the Pods, which have no scale.)
	//
	// Only Scalers may resize a Pod that has a mark, or add ephemeral containers to it. If Scalers is
	// empty, nobody may.
	Scalers []string

	// Announced names the object that a [Guard] keeps its mark on. Tokens below that mark are then
	// refused on all guarded objects, even on those that the current term has not written yet, and in
	// creates. The API server looks the mark up in a cache. The cache usually lags by milliseconds,
	// but there is no bound. So Announced narrows the gap that the marks on the objects leave open,
	// and does not close it.
	//
	// Until the current term has written an object, every write that keeps an older mark on it is
	// refused, even a controller's. So use Announced for objects that only the active replica writes.
	// If the Announced object is missing, every write is refused.
	Announced *Announced
}

// Announced names the object with the announced mark. See [Policy].
type Announced struct{ APIVersion, Kind, Namespace, Name string }

// Controllers of Kubernetes that delete the objects of a deleted owner or namespace. If they were
// refused, they would try for ever.
func clusterDeleters() []string {
	return []string{
		"system:serviceaccount:kube-system:generic-garbage-collector",
		"system:serviceaccount:kube-system:namespace-controller",
		"system:kube-controller-manager", // where controllers have no accounts of their own
	}
}

// Build returns the two objects to create, or an error with everything that is wrong with p.
func (p Policy) Build() (
	*admission.ValidatingAdmissionPolicy, *admission.ValidatingAdmissionPolicyBinding, error,
) {
	if err := p.validate(); err != nil {
		return nil, nil, err
	}
	fail := admission.Fail
	policy := &admission.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{
			APIVersion: admission.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy",
		},
		ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Spec: admission.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admission.MatchResources{
				NamespaceSelector: p.Namespaces, ObjectSelector: p.Objects, ResourceRules: p.rules(),
			},
			Variables:   p.variables(),
			Validations: p.validations(),
		},
	}
	binding := &admission.ValidatingAdmissionPolicyBinding{
		TypeMeta: metav1.TypeMeta{
			APIVersion: admission.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding",
		},
		ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Spec: admission.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: p.Name, ValidationActions: []admission.ValidationAction{admission.Deny},
		},
	}
	if a := p.Announced; a != nil {
		deny := admission.DenyAction
		policy.Spec.ParamKind = &admission.ParamKind{APIVersion: a.APIVersion, Kind: a.Kind}
		binding.Spec.ParamRef = &admission.ParamRef{
			Namespace: a.Namespace, Name: a.Name, ParameterNotFoundAction: &deny,
		}
	}
	return policy, binding, nil
}

// YAML returns the two objects as a manifest.
func (p Policy) YAML() ([]byte, error) {
	policy, binding, err := p.Build()
	if err != nil {
		return nil, err
	}
	var manifest bytes.Buffer
	yaml := json.NewSerializerWithOptions(
		json.DefaultMetaFactory, nil, nil, json.SerializerOptions{Yaml: true})
	for _, object := range []runtime.Object{policy, binding} {
		manifest.WriteString("---\n")
		if err := yaml.Encode(object, &manifest); err != nil {
			return nil, fmt.Errorf("kubefence: %w", err)
		}
	}
	return manifest.Bytes(), nil
}

func (p Policy) validate() error {
	var errs []error
	if err := fencing.ValidateScope(p.Scope); err != nil {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Scope: %w", err))
	}
	for field, set := range map[string]bool{
		"Policy.Name is empty":                              p.Name != "",
		"Policy.Resources is empty":                         len(p.Resources) > 0,
		"Policy.Namespaces and Policy.Objects are both nil": p.Namespaces != nil || p.Objects != nil,
	} {
		if !set {
			errs = append(errs, errors.New("kubefence: "+field))
		}
	}
	for i, r := range p.Resources {
		if r.Resource == "" || strings.Contains(r.Resource, "/") || strings.Contains(r.Resource, "*") {
			errs = append(errs, fmt.Errorf("kubefence: Policy.Resources[%d] is %q,"+
				" must be the plural name of a resource, without subresource or *", i, r.Resource))
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(p.Objects)
	scales := len(p.Resources) != 1 || !p.guardsPods()
	if err != nil {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Objects: %w", err))
	} else if p.Objects != nil && len(p.Scalers) > 0 && scales && !selector.Matches(labels.Set{}) {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Objects is %v and Policy.Scalers is set:"+
			" a scale shows no labels, so nobody would be refused", selector))
	}
	for _, user := range append(append([]string{}, p.Deleters...), p.Scalers...) {
		if user == "" || strings.ContainsAny(user, "\"\\\n") {
			errs = append(errs, fmt.Errorf("kubefence: Policy: %q cannot be the name of a user", user))
		}
	}
	if a := p.Announced; a != nil && (a.APIVersion == "" || a.Kind == "" || a.Name == "") {
		errs = append(errs,
			fmt.Errorf("kubefence: Policy.Announced is %+v, must have APIVersion, Kind and Name", *a))
	}
	return errors.Join(errs...)
}
