package singleton_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// lab is a cluster in a bubble, with the Lease shop/invoicer shipped.
type lab struct {
	*testing.T
	*apiserver.Cluster
}

func inLab(t *testing.T, f func(l lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := apiserver.New(apiserver.Options{})
		t.Cleanup(c.Close)
		_, err := c.CreateLease(newLease())
		require.NoError(t, err)
		f(lab{t, c})
	})
}

// newLease is as a manifest ships it.
func newLease() *coordv1.Lease {
	return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}}
}

// elector makes one that reaches the cluster over the link of that name.
func (l lab) elector(name string, change ...func(*singleton.Config)) *singleton.Elector {
	return l.electorOf(l.Client(name), name, change...)
}

// electorThrough makes one whose requests go through wrap, too.
func (l lab) electorThrough(name string, wrap func(http.RoundTripper) http.RoundTripper, change ...func(*singleton.Config)) *singleton.Elector {
	return l.electorOf(l.clientThrough(name, wrap), name, change...)
}

func (l lab) electorOf(client coordclient.LeasesGetter, name string, change ...func(*singleton.Config)) *singleton.Elector {
	config := singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: name}, Logger: quiet().With("me", name)}
	for _, change := range change {
		change(&config)
	}
	e, err := singleton.New(client, config)
	require.NoError(l, err)
	return e
}

func (l lab) clientThrough(name string, wrap func(http.RoundTripper) http.RoundTripper) coordclient.LeasesGetter {
	config := l.RESTConfig(name)
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json" // to be read and rewritten
	config.Wrap(wrap)
	client, err := coordclient.NewForConfig(config)
	require.NoError(l, err)
	return client
}

// running is a call of Run.
type running struct {
	stop     context.CancelFunc
	done     chan struct{}
	err      error
	panicked any
}

// run runs e until the test ends or stop is called.
func (l lab) run(e *singleton.Elector, work singleton.Work) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer func() { r.panicked = recover() }()
		r.err = e.Run(ctx, work)
	}()
	l.Cleanup(func() { l.Link("a").Heal(); cancel(); <-r.done })
	synctest.Wait()
	return r
}

// work runs e, and returns the context and the term that its work is given first: what work
// does, the test can then do on its own goroutine, where it may require.
func (l lab) work(e *singleton.Elector) (context.Context, *singleton.Term) {
	l.Helper()
	type given struct {
		ctx  context.Context
		term *singleton.Term
	}
	works := make(chan given, 1)
	l.run(e, firstTerm(func(ctx context.Context, t *singleton.Term) { works <- given{ctx, t} }))
	select {
	case g := <-works:
		return g.ctx, g.term
	case <-time.After(time.Minute):
		require.FailNow(l, "no work begins")
		return nil, nil
	}
}

// wait for Run to return, without a panic.
func (r *running) wait(t require.TestingT) error {
	<-r.done
	require.Nil(t, r.panicked)
	return r.err
}

func (l lab) record() lease.Record { return lease.NewRecord(l.Lease("shop", "invoicer")) }

func (l lab) edit(f func(*coordv1.Lease)) {
	require.NoError(l, l.EditLease("shop", "invoicer", f))
	synctest.Wait()
}

// idle is work that waits for its context's end and returns its cause.
func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// metric reads one sample of an elector; labels are name, value pairs beside
// namespace and lease.
func metric(t require.TestingT, e *singleton.Elector, name string, labels ...string) float64 {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(e))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	samples:
		for _, sample := range family.GetMetric() {
			have := map[string]string{}
			for _, label := range sample.GetLabel() {
				have[label.GetName()] = label.GetValue()
			}
			require.Equal(t, "shop", have["namespace"])
			require.Equal(t, "invoicer", have["lease"])
			require.Len(t, have, 2+len(labels)/2)
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue samples
				}
			}
			switch {
			case sample.GetGauge() != nil:
				return sample.GetGauge().GetValue()
			case sample.GetCounter() != nil:
				return sample.GetCounter().GetValue()
			default:
				return float64(sample.GetHistogram().GetSampleCount())
			}
		}
	}
	require.FailNow(t, "no such metric", "%s %v", name, labels)
	return 0
}

const second = time.Second

// lines collects log lines.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// sleep lets time pass in a bubble and everything due happen. Unlike
// time.Sleep alone it also orders what happened before what the test reads.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
