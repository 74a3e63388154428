//go:build unix

package frameworks

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hotseat-go/hotseat/singleton/catchup"
)

var measure = flag.Bool("measure", false, "wait for as long as it takes an idle informer to reach the version of a list")

// stall is a network whose answers stay away on demand.
type stall struct {
	mu   sync.Mutex
	open chan struct{} // closed while answers come
}

func newStall() *stall {
	s := &stall{open: make(chan struct{})}
	close(s.open)
	return s
}

func (s *stall) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = make(chan struct{})
}

func (s *stall) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.open)
}

func (s *stall) gate() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *stall) through(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &stalling{conn, s}, err
	}
	return config
}

type stalling struct {
	net.Conn
	stall *stall
}

func (c *stalling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	<-c.stall.gate()
	return n, err
}

// counting is a namespace with a counter, and ways to read it that can be behind.
type counting struct {
	*testing.T
	namespace string
	api       kubernetes.Interface
	metadata  metadata.Interface
}

func newCounting(t *testing.T, namespace string) *counting {
	require.NoError(t, cluster.Namespace(t.Context(), namespace))
	meta, err := metadata.NewForConfig(cluster.AdminConfig())
	require.NoError(t, err)
	c := &counting{T: t, namespace: namespace, api: cluster.Admin(), metadata: meta}
	_, err = c.api.CoreV1().ConfigMaps(namespace).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "counter"}, Data: map[string]string{"n": "0"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return c
}

// set is a controller's patch: it does not look at who wrote since.
func (c *counting) set(n int) {
	patch := fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n)
	_, err := c.api.CoreV1().ConfigMaps(c.namespace).Patch(c.Context(), "counter", types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(c, err)
}

func (c *counting) stored() string {
	object, err := c.api.CoreV1().ConfigMaps(c.namespace).Get(c.Context(), "counter", metav1.GetOptions{})
	require.NoError(c, err)
	return object.Data["n"]
}

func (c *counting) kind(cached func(context.Context) (catchup.Versions, error)) *catchup.Caches {
	caches, err := catchup.New(catchup.Config{Timeout: time.Minute, Kinds: []catchup.Kind{{
		Name: "configmaps", Cached: cached,
		API: c.metadata.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(c.namespace),
	}}})
	require.NoError(c, err)
	return caches
}

// A predecessor counts to 1 while this replica's cache is two seconds behind. Who counts on from
// the cache loses that, unless it waits for its cache.
func TestCatchUp(t *testing.T) {
	ctrl.SetLogger(logr.Discard()) // else controller-runtime asks for one
	type way struct {
		cached func(context.Context) (catchup.Versions, error)
		read   func() int
	}
	for name, open := range map[string]func(c *counting, config *rest.Config) way{
		"controller-runtime": func(c *counting, config *rest.Config) way {
			informers, err := cache.New(config, cache.Options{DefaultNamespaces: map[string]cache.Config{c.namespace: {}}})
			require.NoError(c, err)
			c.background(func(ctx context.Context) { _ = informers.Start(ctx) })
			var counter corev1.ConfigMap
			key := client.ObjectKey{Namespace: c.namespace, Name: "counter"}
			return way{
				cached: func(ctx context.Context) (catchup.Versions, error) {
					var list corev1.ConfigMapList
					err := informers.List(ctx, &list, client.InNamespace(c.namespace), client.UnsafeDisableDeepCopy)
					if err != nil {
						return nil, err
					}
					return catchup.VersionsOf(&list)
				},
				read: func() int {
					require.NoError(c, informers.Get(c.Context(), key, &counter))
					return number(c, counter.Data["n"])
				},
			}
		},
		"client-go": func(c *counting, config *rest.Config) way {
			informer := c.informer(config)
			return way{cached: catchup.Informer(informer), read: func() int {
				object, there, err := informer.GetStore().GetByKey(c.namespace + "/counter")
				require.NoError(c, err)
				require.True(c, there)
				return number(c, object.(*corev1.ConfigMap).Data["n"])
			}}
		},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/waits=%v", name, waits), func(t *testing.T) {
				c := newCounting(t, fmt.Sprintf("catchup-%s-%v", name, waits))
				network := newStall()
				way := open(c, network.through(cluster.AdminConfig()))
				require.Zero(t, way.read())
				network.begin()
				heal := time.AfterFunc(2*time.Second, network.end)
				t.Cleanup(func() {
					if heal.Stop() {
						network.end()
					}
				})
				c.set(1) // the predecessor's last write
				if waits {
					require.NoError(t, c.kind(way.cached).Wait(t.Context()))
				}
				c.set(way.read() + 1)
				require.Equal(t, map[bool]string{false: "1", true: "2"}[waits], c.stored())
			})
		}
	}
}

func number(t testing.TB, text string) int {
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func (c *counting) background(run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(c.Context())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	c.Cleanup(func() { cancel(); running.Wait() })
}

func (c *counting) informer(config *rest.Config) toolscache.SharedIndexInformer {
	clientset, err := kubernetes.NewForConfig(config)
	require.NoError(c, err)
	factory := informers.NewSharedInformerFactoryWithOptions(clientset, 0, informers.WithNamespace(c.namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	c.background(informer.RunWithContext)
	require.True(c, toolscache.WaitForCacheSync(c.Context().Done(), informer.HasSynced))
	return informer
}

// Why Wait compares objects: an informer of a kind that nobody writes does not reach the version of
// a list before its next bookmark. The log says how long each takes.
func TestIdleKindIsCaughtUpAtOnce(t *testing.T) {
	c := newCounting(t, "catchup-idle")
	idle, patience := 20, 3*time.Second
	if *measure {
		idle, patience = 1000, 3*time.Minute
	}
	for i := range idle {
		_, err := c.api.CoreV1().ConfigMaps(c.namespace).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("idle-%d", i)}, Data: map[string]string{"a": "b"},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	informer := c.informer(cluster.AdminConfig())
	require.NoError(t, c.kind(catchup.Informer(informer)).Wait(t.Context()))
	// Another kind changes, and with it the version of every list.
	_, err := c.api.CoreV1().Secrets(c.namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	began := time.Now()
	require.NoError(t, c.kind(catchup.Informer(informer)).Wait(t.Context()))
	took := time.Since(began)
	began = time.Now()
	list, err := c.metadata.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(c.namespace).
		List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	limited := time.Since(began)
	reached := func() bool {
		order, err := resourceversion.CompareResourceVersion(informer.LastSyncResourceVersion(), list.ResourceVersion)
		require.NoError(t, err)
		return order >= 0
	}
	for time.Since(began) < patience && !reached() {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d objects: Wait took %v; a list of one took %v; LastSyncResourceVersion reached it: %v, after %v",
		idle+1, took.Round(time.Millisecond), limited.Round(time.Millisecond), reached(), time.Since(began).Round(time.Millisecond))
	require.Less(t, took, 5*time.Second)
}
