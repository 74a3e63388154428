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

// Policy generates a ValidatingAdmissionPolicy and its binding, with which the API server itself guards the marks of objects,
// also against clients that do not use this package. Of creates, updates, patches and applies of the objects it selects it refuses
//
//   - a token below the object's mark, or one of another term with the mark's epoch,
//   - a write that removes the mark,
//   - an annotation that is no token, or a token of another scope than Scope,
//   - any write to an object whose mark is such: it has to be repaired with the policy taken away.
//
// Admission runs on the stored object in the same compare-and-swap as the write, so this is as exact as the wrapper.
// Refusals are 403 Forbidden. The policy is failurePolicy Fail: if it cannot be evaluated, nothing is written.
//
// # What it cannot see
//
// A write that leaves the mark as it is passes: a patch that does not name the annotation, or an update of what was read a
// moment ago, says nothing about its writer's term. Only writers that state their own token are fenced.
//
// A delete carries no token: Deleters restricts who may, and who may say whose an object is, since the garbage collector deletes
// what belongs to nobody. An object that has an owner still goes with it, and all objects with their namespace. A scale carries no token
// either, and not the object's mark or labels: Scalers restricts who may. Evicting a Pod is no delete for admission.
//
// Status updates of most built-in kinds carry annotations and are guarded. Of custom resources, and of a few built-in kinds such as
// resourceclaims and volumeattachments, the server ignores the annotations in them, so a stale status update passes here: write
// those by [Objects.Stamped]. It ignores them too in pods/resize and pods/ephemeralcontainers, which are therefore refused of a Pod
// with a mark, but to Scalers.
//
// Whoever may change the labels that Objects or Namespaces selects by can take an object out of the policy.
type Policy struct {
	// Name of both objects.
	Name string

	// Scope of the tokens: [fencing.Scope] of the Lease.
	Scope string

	// Resources it guards, with all their subresources: {Resource: "configmaps"}, {Group: "apps", Resource: "deployments"}.
	Resources []schema.GroupResource

	// Namespaces and Objects select by label what is guarded. Nil selects all, but not both may be nil; say
	// &metav1.LabelSelector{} to mean all objects of the cluster. A namespace has its name in the label kubernetes.io/metadata.name.
	Namespaces, Objects *metav1.LabelSelector

	// Required refuses creates and updates without a mark, too: every writer must state a token. Otherwise objects that
	// were never written with a token are nobody's concern.
	Required bool

	// Deleters are the users who may delete objects that have a mark, such as "system:serviceaccount:shop:invoicer", and change
	// their ownerReferences. The cluster's own garbage collector and namespace controller always may; controllers that adopt must be
	// named. Empty: whoever RBAC lets.
	Deleters []string

	// Scalers are the users who may write the scale subresource; empty: whoever RBAC lets. A scale shows no labels: with Scalers,
	// Objects must select what has none, and who may scale is the same for all objects in the namespaces, unless Resources is
	// just the Pods, which have no scale. Scalers alone may resize a Pod that has a mark, or add ephemeral containers
	// to it; empty: nobody may.
	Scalers []string

	// Announced names the object that a [Guard] keeps its mark on. Tokens below that mark are then refused on all guarded
	// objects, also on those that the present term has not written yet, and in creates. The API server looks it up in a
	// cache, which lags by milliseconds as a rule and without a bound: this narrows what the marks on the objects leave open, and closes
	// nothing. Until the present term has written an object, writes to it that keep an older mark are refused as well, be it a
	// controller's: for objects that only the active writes. A missing Announced object refuses everything.
	Announced *Announced
}

// Announced is where the mark of an announcement is. See [Policy].
type Announced struct{ APIVersion, Kind, Namespace, Name string }

// Controllers of Kubernetes that delete what belongs to a deleted owner or namespace. Refused, they would try for ever.
func clusterDeleters() []string {
	return []string{
		"system:serviceaccount:kube-system:generic-garbage-collector",
		"system:serviceaccount:kube-system:namespace-controller",
		"system:kube-controller-manager", // where controllers have no accounts of their own
	}
}

// Build returns the two objects to create, or all that is wrong with p.
func (p Policy) Build() (*admission.ValidatingAdmissionPolicy, *admission.ValidatingAdmissionPolicyBinding, error) {
	if err := p.validate(); err != nil {
		return nil, nil, err
	}
	fail := admission.Fail
	policy := &admission.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admission.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
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
		TypeMeta:   metav1.TypeMeta{APIVersion: admission.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Spec: admission.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: p.Name, ValidationActions: []admission.ValidationAction{admission.Deny},
		},
	}
	if a := p.Announced; a != nil {
		deny := admission.DenyAction
		policy.Spec.ParamKind = &admission.ParamKind{APIVersion: a.APIVersion, Kind: a.Kind}
		binding.Spec.ParamRef = &admission.ParamRef{Namespace: a.Namespace, Name: a.Name, ParameterNotFoundAction: &deny}
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
	yaml := json.NewSerializerWithOptions(json.DefaultMetaFactory, nil, nil, json.SerializerOptions{Yaml: true})
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
			errs = append(errs, fmt.Errorf("kubefence: Policy.Resources[%d] is %q, must be the plural name of a resource, without subresource or *", i, r.Resource))
		}
	}
	if selector, err := metav1.LabelSelectorAsSelector(p.Objects); err != nil {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Objects: %w", err))
	} else if p.Objects != nil && len(p.Scalers) > 0 && (len(p.Resources) != 1 || !p.guardsPods()) && !selector.Matches(labels.Set{}) {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Objects is %v and Policy.Scalers is set: a scale shows no labels, so nobody would be refused", selector))
	}
	for _, user := range append(append([]string{}, p.Deleters...), p.Scalers...) {
		if user == "" || strings.ContainsAny(user, "\"\\\n") {
			errs = append(errs, fmt.Errorf("kubefence: Policy: %q cannot be the name of a user", user))
		}
	}
	if a := p.Announced; a != nil && (a.APIVersion == "" || a.Kind == "" || a.Name == "") {
		errs = append(errs, fmt.Errorf("kubefence: Policy.Announced is %+v, must have APIVersion, Kind and Name", *a))
	}
	return errors.Join(errs...)
}
