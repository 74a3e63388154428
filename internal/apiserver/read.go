package apiserver

import (
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	internalvalidation "k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

func (c *Cluster) read(r *request) (answer, error) {
	version := r.query.Get("resourceVersion")
	if err := c.notFuture(version, false); err != nil {
		return answer{}, err
	}
	obj := c.store.get(r.key(), version == "")
	if obj == nil {
		return answer{}, apierrors.NewNotFound(r.res.GroupResource(), r.name)
	}
	return answer{code: http.StatusOK, obj: withKind(obj, r.res.gvk())}, nil
}

func (c *Cluster) list(r *request) (answer, error) {
	opts, match, err := listOptions(r)
	if err != nil {
		return answer{}, err
	}
	if opts.Continue != "" {
		return answer{}, apierrors.NewResourceExpired("the provided continue parameter is too old") // pages are never cut, so no token is good
	}
	at, stored, err := c.listed(r, opts)
	if err != nil {
		return answer{}, err
	}
	objects, rev, err := c.store.list(r.res, r.namespace, at, stored)
	if err != nil {
		return answer{}, err
	}
	items := []runtime.Object{}
	for _, obj := range objects {
		if match(obj) {
			items = append(items, obj.DeepCopyObject())
		}
	}
	list := r.res.newList()
	if err := meta.SetList(list, items); err != nil {
		return answer{}, err
	}
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return answer{}, err
	}
	accessor.SetResourceVersion(strconv.FormatInt(rev, 10))
	list.GetObjectKind().SetGroupVersionKind(r.res.GroupVersion().WithKind(r.res.kind + "List"))
	return answer{code: http.StatusOK, obj: list}, nil
}

// listed returns the revision that a LIST asks for, 0 for the present, and
// whether it asks the store itself for it: for one name and exactly.
func (c *Cluster) listed(r *request, opts internalversion.ListOptions) (at int64, stored bool, err error) {
	exact := opts.ResourceVersionMatch == metav1.ResourceVersionMatchExact
	stored = exact && r.name != ""
	err = c.notFuture(opts.ResourceVersion, stored)
	if err == nil && exact {
		at, err = apistore.ParseVersion(opts.ResourceVersion)
	}
	return at, stored, err
}

// listOptions reads the options of a LIST or WATCH and what it selects.
func listOptions(r *request) (opts internalversion.ListOptions, match func(object) bool, err error) {
	var v1 metav1.ListOptions
	if err := scheme.ParameterCodec.DecodeParameters(r.query, schema.GroupVersion{Version: "v1"}, &v1); err != nil {
		return opts, nil, apierrors.NewBadRequest(err.Error())
	}
	label, err := labels.Parse(v1.LabelSelector)
	if err != nil {
		return opts, nil, apierrors.NewBadRequest(err.Error())
	}
	selector, err := fields.ParseSelector(v1.FieldSelector)
	if err == nil {
		selector, err = selector.Transform(r.res.label)
	}
	if err != nil {
		return opts, nil, apierrors.NewBadRequest(err.Error())
	}
	opts = internalversion.ListOptions{
		Watch: v1.Watch, AllowWatchBookmarks: v1.AllowWatchBookmarks, ResourceVersion: v1.ResourceVersion,
		ResourceVersionMatch: v1.ResourceVersionMatch, TimeoutSeconds: v1.TimeoutSeconds,
		Limit: v1.Limit, Continue: v1.Continue, SendInitialEvents: v1.SendInitialEvents,
	}
	internalversion.SetListOptionsDefaults(&opts, true)
	if errs := internalvalidation.ValidateListOptions(&opts, true); len(errs) > 0 {
		return opts, nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	return opts, func(o object) bool {
		return label.Matches(labels.Set(o.GetLabels())) && selector.Matches(r.res.selectable(o))
	}, nil
}

// notFuture refuses to read at a version that does not exist yet. (kube-apiserver
// waits 3 s for its cache to get there first, and has clients come back. The store
// itself says no at once, and for good.)
func (c *Cluster) notFuture(version string, stored bool) error {
	want, err := apistore.ParseVersion(version)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: %v", err))
	}
	head, retryAfter := c.store.revision(stored), 1
	if stored {
		retryAfter = 0
	}
	if want <= head {
		return nil
	}
	return apistore.TooLarge(want, head, retryAfter)
}
