package catchup_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/catchup"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// replica counts in the annotation n of an object, from what its cache says. Its objects are Leases,
// which is what the in-process server has.
type replica struct {
	*testing.T
	name    string
	client  coordclient.CoordinationV1Interface
	api     coordclient.LeaseInterface
	cache   cache.SharedIndexInformer
	elector *singleton.Elector
	stop    func()
}

// newReplica starts the cache of a replica, whose link is called name-cache.
func newReplica(t *testing.T, c *singletontest.Cluster, name string) *replica {
	r := &replica{T: t, name: name, client: c.Client(name), stop: func() {}}
	r.api = r.client.Leases("shop")
	behind := c.Client(name + "-cache").Leases("shop")
	r.cache = cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return behind.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return behind.Watch(ctx, o)
		},
	}, &coordv1.Lease{}, 0, cache.Indexers{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.cache.RunWithContext(ctx) })
	t.Cleanup(func() { r.stop(); cancel(); running.Wait() })
	require.True(t, cache.WaitForCacheSync(ctx.Done(), r.cache.HasSynced))
	var err error
	r.elector, err = singleton.New(r.client, singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
		Replica: singleton.ReplicaConfig{Identity: name},
	})
	require.NoError(t, err)
	return r
}

// lister is what a client of client-go's package metadata is to a real API server.
type lister struct{ coordclient.LeaseInterface }

func (l lister) List(ctx context.Context, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	leases, err := l.LeaseInterface.List(ctx, o)
	if err != nil {
		return nil, err
	}
	list := &metav1.PartialObjectMetadataList{ListMeta: leases.ListMeta}
	for _, lease := range leases.Items {
		list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: lease.ObjectMeta})
	}
	return list, nil
}

func (r *replica) caches(timeout time.Duration) *catchup.Caches {
	caches, err := catchup.New(catchup.Config{
		Timeout: timeout, Logger: slog.New(slog.DiscardHandler),
		Kinds: []catchup.Kind{{Name: "leases", API: lister{r.api}, Cached: catchup.Informer(r.cache)}},
	})
	require.NoError(r, err)
	return caches
}

// run makes the replica a candidate.
func (r *replica) run(work singleton.Work) {
	r.background(func(ctx context.Context) { _ = r.elector.Run(ctx, work) })
}

func (r *replica) background(run func(context.Context)) {
	ctx, cancel := context.WithCancel(r.Context())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	r.stop = func() { cancel(); running.Wait() }
}

// count adds one to what the cache says, without a look at who wrote since, as controllers do that
// patch.
func (r *replica) count(ctx context.Context) {
	object, there, err := r.cache.GetStore().GetByKey("shop/counter")
	if err != nil || !there {
		r.Errorf("%s: %v, %v", r.name, there, err)
		return
	}
	n, _ := strconv.Atoi(object.(*coordv1.Lease).Annotations["n"])
	patch := []byte(`{"metadata":{"annotations":{"n":"` + strconv.Itoa(n+1) + `"}}}`)
	if _, err := r.api.Patch(ctx, "counter", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		r.Errorf("%s: %v", r.name, err)
	}
}

// counted is what the API server has.
func (r *replica) counted() string {
	object, err := r.api.Get(r.Context(), "counter", metav1.GetOptions{})
	require.NoError(r, err)
	return object.Annotations["n"]
}

func shop(t *testing.T) *singletontest.Cluster {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(c.Close)
	_, err := c.Client("admin").Leases("shop").Create(t.Context(), &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "counter"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return c
}

// wait lets virtual time pass, and everything due in it happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
