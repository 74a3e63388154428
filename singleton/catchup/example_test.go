package catchup_test

import (
	"context"
	"fmt"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/catchup"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// caughtUp returns work that begins once the cache of ConfigMaps has what earlier terms wrote.
func caughtUp(
	client metadata.Interface, factory informers.SharedInformerFactory, work singleton.Work,
) (singleton.Work, error) {
	configMaps := corev1.SchemeGroupVersion.WithResource("configmaps")
	caches, err := catchup.New(catchup.Config{Kinds: []catchup.Kind{{
		Name:   "configmaps",
		API:    client.Resource(configMaps).Namespace("shop"),
		Cached: catchup.Informer(factory.Core().V1().ConfigMaps().Informer()),
	}}})
	if err != nil {
		return nil, err
	}
	return caches.Before(work), nil
}

// The cache here is one that nobody starts, so the wait fails. In a service, kinds are as in the
// package comment.
func Example() {
	_ = caughtUp // with client-go's informers

	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{}, &coordv1.Lease{}, 0, nil)
	caches, err := catchup.New(catchup.Config{
		Timeout: 50 * time.Millisecond,
		Kinds: []catchup.Kind{{
			Name:   "leases",
			API:    lister{cluster.Client("a").Leases("shop")},
			Cached: catchup.Informer(informer),
		}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(caches.Wait(context.Background()))
	// Output: catchup: caches are behind the API server after 50ms: leases: the cache has not synced yet
}
