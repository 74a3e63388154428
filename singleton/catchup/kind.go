package catchup

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// Kind is one kind of objects that work reads from a cache. All fields but the selectors are
// required.
type Kind struct {
	// Name is for errors and logs: "configmaps", for example.
	Name string

	// API lists the objects at the API server. It must not read from a cache. A client of client-go's
	// package metadata fits: client.Resource(resource).Namespace(namespace). The namespace must be
	// that of the cache.
	API Lister

	// LabelSelector and FieldSelector are those that the cache was made with, if any.
	LabelSelector, FieldSelector string

	// Cached returns what the cache has now. See [Informer] and [VersionsOf]. It is called from a
	// goroutine of its own, again and again. An error makes the cache count as behind.
	Cached func(ctx context.Context) (Versions, error)
}

// Lister lists the metadata of the objects of one kind.
type Lister interface {
	List(ctx context.Context, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error)
}

// Versions has the resourceVersion of each object.
type Versions map[types.NamespacedName]string

var errNotSynced = errors.New("the cache has not synced yet")

// Informer returns a Kind.Cached for a shared informer of client-go.
func Informer(i cache.SharedInformer) func(context.Context) (Versions, error) {
	return func(context.Context) (Versions, error) {
		if !i.HasSynced() {
			return nil, errNotSynced
		}
		objects := i.GetStore().List()
		versions := make(Versions, len(objects))
		for _, object := range objects {
			if err := versions.add(object); err != nil {
				return nil, err
			}
		}
		return versions, nil
	}
}

// VersionsOf returns the versions of the objects in a list. It is for caches that are read by
// lists, as controller-runtime's is:
//
//	Cached: func(ctx context.Context) (catchup.Versions, error) {
//		var list corev1.ConfigMapList
//		shop := client.InNamespace("shop")
//		if err := manager.GetCache().List(ctx, &list, shop, client.UnsafeDisableDeepCopy); err != nil {
//			return nil, err
//		}
//		return catchup.VersionsOf(&list)
//	},
func VersionsOf(list runtime.Object) (Versions, error) {
	versions := Versions{}
	err := meta.EachListItem(list, func(object runtime.Object) error { return versions.add(object) })
	if err != nil {
		return nil, err
	}
	return versions, nil
}

func (v Versions) add(object any) error {
	o, err := meta.Accessor(object)
	if err != nil {
		return fmt.Errorf("a %T in the cache: %w", object, err)
	}
	v[types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}] = o.GetResourceVersion()
	return nil
}
