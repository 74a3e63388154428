package apistore

import (
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ParseVersion reads a resourceVersion; empty is 0.
func ParseVersion(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

// TooLarge refuses to read at a revision that does not exist yet. Clients come back after that many
// seconds, 0: never.
func TooLarge(revision, head int64, retryAfter int) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", revision, head), retryAfter)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version",
	}}
	return err
}

// InNamespace refuses a body that names another namespace than its request, and fills in a missing one.
func InNamespace(o metav1.Object, namespace string) error {
	if o.GetNamespace() == "" {
		o.SetNamespace(namespace)
	}
	if o.GetNamespace() != namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

// Named refuses a body that has another name than its request.
func Named(o metav1.Object, name string) error {
	if o.GetName() != name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), name))
	}
	return nil
}

// Creatable refuses to create an object that has a version, or that is there: cur is what is at its place.
func Creatable[V Object](res schema.GroupResource, body metav1.Object, cur V) error {
	revision, err := ParseVersion(body.GetResourceVersion())
	var none V
	switch {
	case err != nil:
		return err
	case revision != 0:
		return errors.New("resourceVersion should not be set on objects to be created") // a plain 500
	case cur != none:
		return apierrors.NewAlreadyExists(res, body.GetName())
	}
	return nil
}

// SameUID is the precondition that a UID in a body makes on what is at its place. The words are those of
// the storage layer.
func SameUID[V Object](res schema.GroupResource, body metav1.Object, cur V) error {
	var stored types.UID
	var none V
	if cur != none {
		stored = cur.GetUID()
	}
	if body.GetUID() == "" || body.GetUID() == stored {
		return nil
	}
	return apierrors.NewConflict(res, body.GetName(), fmt.Errorf(
		"StorageError: invalid object, Code: 4, Key: /registry/%s/%s/%s, ResourceVersion: 0, AdditionalErrorMsg: "+
			"Precondition failed: UID in precondition: %s, UID in object meta: %s",
		res.Resource, body.GetNamespace(), body.GetName(), body.GetUID(), stored))
}

// SameVersion is the precondition that the version in a body makes. One without a version is refused
// unless it may be unconditional.
func SameVersion(res schema.GroupResource, body, cur metav1.Object, unconditional bool) error {
	revision, err := ParseVersion(body.GetResourceVersion())
	switch {
	case err != nil:
		return err
	case revision == 0 && unconditional:
	case revision == 0:
		// kube-apiserver puts the resource where the kind belongs.
		return apierrors.NewInvalid(schema.GroupKind{Group: res.Group, Kind: res.Resource}, cur.GetName(), field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), uint64(0), "must be specified for an update"),
		})
	case body.GetResourceVersion() != cur.GetResourceVersion():
		return apierrors.NewConflict(res, cur.GetName(), errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	return nil
}
