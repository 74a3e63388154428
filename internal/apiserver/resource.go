package apiserver

import (
	"fmt"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// object is what the store keeps: any type of k8s.io/api.
type object interface {
	runtime.Object
	metav1.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// resource is one row of the table of served resources. All are namespaced.
type resource struct {
	schema.GroupVersionResource
	kind     string
	singular string
	newItem  func() object
	newList  func() runtime.Object

	// createOnUpdate: a PUT to a missing object creates it.
	createOnUpdate bool
	// unconditionalUpdate: a PUT without resourceVersion is not refused.
	unconditionalUpdate bool
	// prepare drops what clients may not set; old is nil on create.
	prepare func(obj, old object)
	// validate returns the rules that the object breaks, metadata included;
	// old is nil on create.
	validate func(obj, old object) field.ErrorList
	// fields returns what a fieldSelector may name besides the object's name and namespace; nil:
	// nothing.
	fields func(object) fields.Set
}

func (r *resource) gvk() schema.GroupVersionKind { return r.GroupVersion().WithKind(r.kind) }

// selectable returns the fields that a fieldSelector may name.
func (r *resource) selectable(o object) fields.Set {
	set := fields.Set{}
	if r.fields != nil {
		set = r.fields(o)
	}
	set["metadata.name"], set["metadata.namespace"] = o.GetName(), o.GetNamespace()
	return set
}

// label refuses a field that no fieldSelector may name, in the words of kube-apiserver.
func (r *resource) label(name, value string) (string, string, error) {
	if r.fields == nil {
		return scheme.Scheme.ConvertFieldLabel(r.gvk(), name, value)
	}
	if _, ok := r.selectable(r.newItem())[name]; !ok {
		return "", "", fmt.Errorf("field label not supported: %s", name)
	}
	return name, value, nil
}

// resources is the table. To serve another resource, add a row.
func resources(o Options) []*resource {
	return append([]*resource{{
		GroupVersionResource: coordv1.SchemeGroupVersion.WithResource("leases"),
		kind:                 "Lease",
		singular:             "lease",
		newItem:              func() object { return &coordv1.Lease{} },
		newList:              func() runtime.Object { return &coordv1.LeaseList{} },
		createOnUpdate:       true,
		prepare: func(obj, old object) {
			if !o.CoordinatedLeaderElection {
				dropGated(obj, old)
			}
		},
		validate: validateLease,
	}}, around()...)
}

// dropGated does what a server does whose feature gate CoordinatedLeaderElection
// is off: the gated fields are dropped unless the stored Lease has them already.
func dropGated(obj, old object) {
	spec := &obj.(*coordv1.Lease).Spec
	var stored coordv1.LeaseSpec
	if old != nil {
		stored = old.(*coordv1.Lease).Spec
	}
	if stored.Strategy == nil {
		spec.Strategy = nil
	}
	if stored.PreferredHolder == nil {
		spec.PreferredHolder = nil
	}
}

func validateLease(obj, old object) field.ErrorList {
	lease := obj.(*coordv1.Lease)
	meta := field.NewPath("metadata")
	var errs field.ErrorList
	if old == nil {
		errs = validation.ValidateObjectMeta(&lease.ObjectMeta, true, validation.NameIsDNSSubdomain, meta)
	} else {
		errs = validation.ValidateObjectMetaUpdate(&lease.ObjectMeta, &old.(*coordv1.Lease).ObjectMeta, meta)
	}
	return append(errs, apistore.ValidateSpec(&lease.Spec, field.NewPath("spec"))...)
}
