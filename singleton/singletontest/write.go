package singletontest

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const lockError = "the object has been modified; please apply your changes to the latest version and try again"

var errResourceVersionOnCreate = errors.New("resourceVersion should not be set on objects to be created")

func (c *Cluster) create(r *request) (answer, error) {
	obj, err := decodeObject(r)
	if err != nil {
		return answer{}, err
	}
	if err := matchNamespace(r, obj); err != nil {
		return answer{}, err
	}
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		prefix := obj.GetGenerateName()
		obj.SetName(prefix[:min(len(prefix), 58)] + rand.String(5))
	}
	if err := c.needNamespace(r.namespace); err != nil {
		return answer{}, err
	}
	r.name = obj.GetName()
	out, err := c.store.update(r.key(), r.writer(), func(cur object) (object, error) {
		return prepareCreate(r.res, obj, cur)
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusCreated, obj: withKind(out, r.res.gvk())}, nil
}

// prepareCreate checks a POST and fills in what the server decides.
func prepareCreate(res *resource, obj, cur object) (object, error) {
	rev, err := parseVersion(obj.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	if obj, err = beforeCreate(res, obj); err != nil {
		return nil, err
	}
	if rev != 0 {
		return nil, errResourceVersionOnCreate
	}
	if cur != nil {
		return nil, apierrors.NewAlreadyExists(res.GroupResource(), obj.GetName())
	}
	return obj, nil
}

func beforeCreate(res *resource, obj object) (object, error) {
	obj = obj.DeepCopyObject().(object)
	obj.SetUID(uuid.NewUUID())
	obj.SetCreationTimestamp(metav1.Now())
	obj.SetDeletionTimestamp(nil)
	obj.SetDeletionGracePeriodSeconds(nil)
	obj.SetSelfLink("")
	res.prepare(obj, nil)
	if errs := res.validate(obj, nil); len(errs) > 0 {
		return nil, apierrors.NewInvalid(res.gvk().GroupKind(), obj.GetName(), errs)
	}
	return obj, nil
}

func (c *Cluster) replace(r *request) (answer, error) {
	obj, err := decodeObject(r)
	if err != nil {
		return answer{}, err
	}
	if err := matchNamespace(r, obj); err != nil {
		return answer{}, err
	}
	if obj.GetName() != r.name {
		return answer{}, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", obj.GetName(), r.name))
	}
	created := false
	out, err := c.store.update(r.key(), r.writer(), func(cur object) (object, error) {
		created = cur == nil
		if err := checkUID(r, obj, cur); err != nil {
			return nil, err
		}
		if cur == nil {
			return c.createOnUpdate(r, obj)
		}
		return prepareUpdate(r.res, obj, cur)
	})
	if err != nil {
		return answer{}, err
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
	}
	return answer{code: code, obj: withKind(out, r.res.gvk())}, nil
}

// checkUID is the precondition that a UID in the body of a PUT makes. The words
// are those of the server's storage layer.
func checkUID(r *request, obj, cur object) error {
	var stored string
	if cur != nil {
		stored = string(cur.GetUID())
	}
	if obj.GetUID() == "" || string(obj.GetUID()) == stored {
		return nil
	}
	return apierrors.NewConflict(r.res.GroupResource(), r.name, fmt.Errorf(
		"StorageError: invalid object, Code: 4, Key: /registry/%s/%s/%s, ResourceVersion: 0, AdditionalErrorMsg: "+
			"Precondition failed: UID in precondition: %s, UID in object meta: %s",
		r.res.Resource, r.namespace, r.name, obj.GetUID(), stored))
}

func (c *Cluster) createOnUpdate(r *request, obj object) (object, error) {
	if !r.res.createOnUpdate {
		return nil, apierrors.NewNotFound(r.res.GroupResource(), r.name)
	}
	if err := c.needNamespace(r.namespace); err != nil {
		return nil, err
	}
	if _, err := parseVersion(obj.GetResourceVersion()); err != nil {
		return nil, err
	}
	obj, err := beforeCreate(r.res, obj)
	if err != nil {
		return nil, err
	}
	return obj, c.authorize(r, "create")
}

// prepareUpdate checks that obj may replace cur and keeps what clients cannot change.
func prepareUpdate(res *resource, obj, cur object) (object, error) {
	rev, err := parseVersion(obj.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	switch {
	case rev == 0 && res.unconditionalUpdate:
	case rev == 0:
		// kube-apiserver puts the resource where the kind belongs.
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: res.Group, Kind: res.Resource}, cur.GetName(), field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), uint64(0), "must be specified for an update"),
		})
	case obj.GetResourceVersion() != cur.GetResourceVersion():
		return nil, apierrors.NewConflict(res.GroupResource(), cur.GetName(), errors.New(lockError))
	}
	obj = obj.DeepCopyObject().(object)
	obj.SetGeneration(cur.GetGeneration())
	obj.SetSelfLink("")
	res.prepare(obj, cur)
	if obj.GetUID() == "" {
		obj.SetUID(cur.GetUID())
	}
	obj.SetCreationTimestamp(cur.GetCreationTimestamp())
	if cur.GetDeletionTimestamp() != nil {
		obj.SetDeletionTimestamp(cur.GetDeletionTimestamp())
	}
	if cur.GetDeletionGracePeriodSeconds() != nil && obj.GetDeletionGracePeriodSeconds() == nil {
		obj.SetDeletionGracePeriodSeconds(cur.GetDeletionGracePeriodSeconds())
	}
	if errs := res.validate(obj, cur); len(errs) > 0 {
		return nil, apierrors.NewInvalid(res.gvk().GroupKind(), cur.GetName(), errs)
	}
	if cur.GetDeletionTimestamp() != nil && len(obj.GetFinalizers()) == 0 {
		return nil, nil // the last finalizer went: so does the object
	}
	return obj, nil
}

func matchNamespace(r *request, obj object) error {
	if obj.GetNamespace() == "" {
		obj.SetNamespace(r.namespace)
	}
	if obj.GetNamespace() != r.namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}
