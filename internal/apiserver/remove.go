package apiserver

import (
	"fmt"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func (c *Cluster) remove(r *request) (answer, error) {
	opts, err := deleteOptions(r)
	if err != nil {
		return answer{}, err
	}
	var last object
	var kept bool // until its last finalizer goes
	out, err := c.store.update(r.key(), r.writer(), func(cur object) (object, error) {
		if cur == nil {
			return nil, apierrors.NewNotFound(r.res.GroupResource(), r.name)
		}
		last = cur
		if err := checkPreconditions(r, opts.Preconditions, cur); err != nil {
			return nil, err
		}
		marked := cur.DeepCopyObject().(object)
		marked.SetFinalizers(finalizersFor(opts, cur.GetFinalizers()))
		if kept = len(marked.GetFinalizers()) > 0; !kept {
			return nil, nil
		}
		if marked.GetDeletionTimestamp() == nil {
			now, grace := metav1.Now(), int64(0)
			marked.SetDeletionTimestamp(&now)
			marked.SetDeletionGracePeriodSeconds(&grace)
		}
		return marked, nil
	})
	if err != nil {
		return answer{}, err
	}
	if kept {
		return answer{code: http.StatusOK, obj: withKind(out, r.res.gvk())}, nil
	}
	return answer{code: http.StatusOK, obj: &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Details:  &metav1.StatusDetails{Name: r.name, Group: r.res.Group, Kind: r.res.Resource, UID: last.GetUID()},
	}}, nil
}

// finalizersFor is what has to go before an object does that is deleted so: its
// finalizers, and that for the garbage collector, which does not run here, if it is
// asked to deal with dependents first. What is asked for overrides the object's.
func finalizersFor(opts *metav1.DeleteOptions, old []string) []string {
	if opts.PropagationPolicy == nil {
		return old
	}
	ask := map[metav1.DeletionPropagation]string{
		metav1.DeletePropagationOrphan:     metav1.FinalizerOrphanDependents,
		metav1.DeletePropagationForeground: metav1.FinalizerDeleteDependents,
	}[*opts.PropagationPolicy]
	finalizers := slices.DeleteFunc(slices.Clone(old), func(f string) bool {
		return f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents
	})
	if ask != "" {
		finalizers = append(finalizers, ask)
	}
	return finalizers
}

func deleteOptions(r *request) (*metav1.DeleteOptions, error) {
	opts := &metav1.DeleteOptions{}
	if len(r.body) > 0 {
		info, err := contentType(r.header)
		if err != nil {
			return nil, err
		}
		gvk := metav1.SchemeGroupVersion.WithKind("DeleteOptions")
		got, _, err := info.Serializer.Decode(r.body, &gvk, opts)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if got != runtime.Object(opts) {
			return nil, apierrors.NewBadRequest("decoded object cannot be converted to DeleteOptions")
		}
	}
	if errs := metav1validation.ValidateDeleteOptions(opts); len(errs) > 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	if len(opts.DryRun) > 0 {
		r.query["dryRun"] = slices.Clone(opts.DryRun)
	}
	return opts, nil
}

func checkPreconditions(r *request, p *metav1.Preconditions, cur object) error {
	resource := schema.GroupResource{Group: r.res.Group, Resource: r.res.kind}
	if p != nil && p.UID != nil && *p.UID != cur.GetUID() {
		return apierrors.NewConflict(resource, r.name, fmt.Errorf("the UID in the precondition (%s) does not match the UID in record (%s). "+
			"The object might have been deleted and then recreated", *p.UID, cur.GetUID()))
	}
	if p != nil && p.ResourceVersion != nil && *p.ResourceVersion != cur.GetResourceVersion() {
		return apierrors.NewConflict(resource, r.name, fmt.Errorf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). "+
			"The object might have been modified", *p.ResourceVersion, cur.GetResourceVersion()))
	}
	return nil
}
