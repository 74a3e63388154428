package apiserver

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

func (c *Cluster) create(r *request) (answer, error) {
	obj, err := decodeObject(r)
	if err != nil {
		return answer{}, err
	}
	if err := apistore.InNamespace(obj, r.namespace); err != nil {
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

// prepareCreate checks a POST and fills in what the server decides. A version that is none is refused
// before all else, one that should not be there after the rules of the resource.
func prepareCreate(res *resource, obj, cur object) (object, error) {
	if _, err := apistore.ParseVersion(obj.GetResourceVersion()); err != nil {
		return nil, err
	}
	next, err := beforeCreate(res, obj)
	if err != nil {
		return nil, err
	}
	return next, apistore.Creatable(res.GroupResource(), obj, cur)
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
	if err := ofRequest(r, obj); err != nil {
		return answer{}, err
	}
	created := false
	out, err := c.store.update(r.key(), r.writer(), func(cur object) (object, error) {
		created = cur == nil
		if err := apistore.SameUID(r.res.GroupResource(), obj, cur); err != nil {
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

func (c *Cluster) createOnUpdate(r *request, obj object) (object, error) {
	if !r.res.createOnUpdate {
		return nil, apierrors.NewNotFound(r.res.GroupResource(), r.name)
	}
	if err := c.needNamespace(r.namespace); err != nil {
		return nil, err
	}
	if _, err := apistore.ParseVersion(obj.GetResourceVersion()); err != nil {
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
	if err := apistore.SameVersion(res.GroupResource(), obj, cur, res.unconditionalUpdate); err != nil {
		return nil, err
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

// ofRequest refuses a body of another object than the request's.
func ofRequest(r *request, obj object) error {
	if err := apistore.InNamespace(obj, r.namespace); err != nil {
		return err
	}
	return apistore.Named(obj, r.name)
}
