package sim

import (
	"encoding/json"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// changed is what a patch makes of a Lease, if a server takes that.
func changed(cur *coordv1.Lease, data []byte) (*coordv1.Lease, error) {
	next, ok := quickly(cur, data)
	if !ok {
		var err error
		if next, err = patched(cur, data); err != nil {
			return nil, err
		}
	}
	if err := apistore.InNamespace(next, namespace); err != nil {
		return nil, err
	}
	if err := apistore.Named(next, cur.Name); err != nil {
		return nil, err
	}
	return next, sameVersion(next, cur) // as in the body of a PUT
}

// patched is a copy of cur with the patch applied.
func patched(cur *coordv1.Lease, data []byte) (*coordv1.Lease, error) {
	cur = cur.DeepCopy()
	cur.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: coordv1.SchemeGroupVersion.String()}
	doc, err := json.Marshal(cur)
	if err != nil {
		return nil, err
	}
	if doc, err = apistore.JSONPatch(doc, data); err != nil {
		return nil, err
	}
	next := &coordv1.Lease{}
	if err := json.Unmarshal(doc, next); err != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), string(doc), err.Error())})
	}
	next.TypeMeta = metav1.TypeMeta{}
	return next, nil
}
