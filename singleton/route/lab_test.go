package route

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

const second = time.Second

// lab is an API server with the Pods of three replicas, in a bubble.
type lab struct {
	*testing.T
	*apiserver.Cluster
	admin kubernetes.Interface
	pods  []Pod

	mu        sync.Mutex
	labelled  map[string]bool     // Pods with the label
	addresses map[string][]string // of each slice, those that are ready
	wrong     []string
	log       []string // what changed, in order
}

func inLab(t *testing.T, play func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{
			T: t, Cluster: apiserver.New(apiserver.Options{}),
			labelled: map[string]bool{}, addresses: map[string][]string{},
		}
		defer l.Close()
		var err error
		l.admin, err = kubernetes.NewForConfig(l.RESTConfig("admin"))
		require.NoError(t, err)
		l.OnWrite(l.audit)
		for i, name := range []string{"a", "b", "c"} {
			l.pods = append(l.pods, l.create(name, fmt.Sprintf("10.0.0.%d", i+1)))
		}
		play(l)
		l.Heal()
		require.Empty(t, l.violations(), "at most one address at each version")
	})
}

func (l *lab) Heal() {
	for _, pod := range l.pods {
		l.Link(pod.Name).Heal()
	}
}

func (l *lab) create(name, ip string) Pod {
	pod, err := l.admin.CoreV1().Pods("shop").Create(l.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "invoicer"}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}, metav1.CreateOptions{})
	require.NoError(l, err)
	return Pod{
		Namespace: "shop", Name: name, UID: pod.UID, IPs: []netip.Addr{netip.MustParseAddr(ip)}, Node: "n",
	}
}

// audit sees every version of every object.
func (l *lab) audit(w apiserver.Write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch object := w.New.(type) {
	case *corev1.Pod:
		is := object.Labels[DefaultKey] == Active
		if is != l.labelled[object.Name] {
			l.log = append(l.log, fmt.Sprintf("%s=%v", object.Name, is))
		}
		delete(l.labelled, object.Name)
		if is {
			l.labelled[object.Name] = true
		}
	case *discoveryv1.EndpointSlice:
		var ready []string
		for _, e := range object.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready = append(ready, e.TargetRef.Name)
			}
		}
		if fmt.Sprint(ready) != fmt.Sprint(l.addresses[object.Name]) {
			l.log = append(l.log, fmt.Sprintf("%s=%v", object.Name, ready))
		}
		l.addresses[object.Name] = ready
	default:
		if before, after := w.Leases(); before != nil && after != nil && after.Spec.HolderIdentity == nil {
			l.log = append(l.log, "released")
		} else if after != nil && after.Spec.HolderIdentity != nil && *after.Spec.HolderIdentity == "" {
			l.log = append(l.log, "released")
		}
	}
	names := map[string]bool{}
	for _, ready := range l.addresses {
		for _, name := range ready {
			names[name] = true
		}
	}
	if len(l.labelled) > 1 || len(names) > 1 {
		l.wrong = append(l.wrong, fmt.Sprintf("at %d, by %s: labelled %v, addresses %v", w.Revision, w.User, l.labelled, l.addresses))
	}
}

func (l *lab) violations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.wrong...)
}

func (l *lab) story() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.log, " ")
}

// receives is who has the traffic now.
func (l *lab) receives() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.labelled {
		names = append(names, name)
	}
	for _, ready := range l.addresses {
		names = append(names, ready...)
	}
	return names
}

// ways are both, to be tested alike.
var ways = map[string]func(*lab, int, Options) *Router{
	"label": (*lab).byLabel, "slice": (*lab).bySlice,
}

func (l *lab) client(name string) Client {
	client, err := singleton.NewClient(l.RESTConfig(name))
	require.NoError(l, err)
	return client
}

func (l *lab) byLabel(i int, o Options) *Router {
	o.Pod, o.Logger = l.pods[i], slog.New(slog.DiscardHandler)
	r, err := ByLabel(l.client(o.Pod.Name), LabelConfig{Options: o, Pods: "app=invoicer"})
	require.NoError(l, err)
	return r
}

func (l *lab) bySlice(i int, o Options) *Router {
	o.Pod, o.Logger = l.pods[i], slog.New(slog.DiscardHandler)
	r, err := BySlice(l.client(o.Pod.Name), SliceConfig{
		Options: o, Service: "invoicer", Ports: []Port{{Name: "http", Port: 8080}},
	})
	require.NoError(l, err)
	return r
}

// made is a term that somebody made up: it lasts as long as the test says.
type made struct {
	token    fencing.Token
	over     atomic.Bool
	resigned atomic.Bool
	budget   time.Duration
}

func newTerm(epoch int64) *made {
	return &made{token: fencing.Token{
		Scope: "shop/invoicer", Epoch: epoch, Term: fmt.Sprintf("%032x", epoch),
	}, budget: 4 * second}
}

func (m *made) Token() fencing.Token      { return m.token }
func (m *made) Valid() bool               { return !m.over.Load() }
func (m *made) StopBudget() time.Duration { return m.budget }
func (m *made) Resign()                   { m.resigned.Store(true) }

// begin begins a term at once, with an address that may be published.
func begin(r *Router, t term) (stop func()) {
	_, ready := withReady(context.Background())
	ready.tell()
	return r.begin(context.Background(), t, ready)
}

// sleep lets virtual time pass, and then everything come to rest.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func drawn(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}
