package catchup

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// target is what a cache must have.
type target struct {
	version string   // of the list
	objects Versions // that were in it, and are not known to be deleted since
}

// list asks the API server for what is stored now.
func (k *Kind) list(ctx context.Context) (target, error) {
	t := target{objects: Versions{}}
	options := metav1.ListOptions{LabelSelector: k.LabelSelector, FieldSelector: k.FieldSelector}
	for page := 0; page == 0 || options.Continue != ""; page++ { // a server may make pages unasked
		list, err := k.API.List(ctx, options)
		if err != nil {
			return target{}, fmt.Errorf("listing: %w", err)
		}
		if page == 0 {
			t.version = list.ResourceVersion
		}
		for i := range list.Items {
			if err := t.objects.add(&list.Items[i]); err != nil {
				return target{}, err
			}
		}
		options.Continue = list.Continue
	}
	return t, nil
}

// lag compares the cache with the target.
func (t target) lag(cached Versions) (l Lag) {
	note := func(count *int, key types.NamespacedName) {
		*count++
		l.Example = key.String()
	}
	for key, want := range t.objects {
		switch have, there := cached[key]; {
		case !there:
			note(&l.Missing, key)
		case l.before(have, want, key):
			note(&l.Older, key)
		}
	}
	for key, have := range cached {
		if _, listed := t.objects[key]; !listed && !l.before(t.version, have, key) {
			note(&l.Deleted, key)
		}
	}
	return l
}

// before reports whether a is an earlier version than b, and notes what cannot be compared.
func (l *Lag) before(a, b string, of types.NamespacedName) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	if err != nil {
		l.Err = fmt.Errorf("%w: %q with %q, of %v: %w", ErrVersions, a, b, of, err)
	}
	return order < 0
}

// forget drops the objects that a later list does not have: they were deleted, and the cache may
// have noticed before it was looked at.
func (t target) forget(later target) {
	for key := range t.objects {
		if _, there := later.objects[key]; !there {
			delete(t.objects, key)
		}
	}
}
