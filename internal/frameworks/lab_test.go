//go:build unix

package frameworks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
)

const leaseName = "operator.example.com"

// lab is a namespace with a Lease, and the replicas of one operator.
type lab struct {
	*testing.T
	elector   string
	namespace string
	drain     time.Duration // how long a controller needs to stop
	graceful  time.Duration // how long a manager waits for it; 0: the default
	dir       string        // for certificates and logs
	diary     diary
	started   int
}

// process is a replica and its way to the API server.
type process struct {
	*proc.Process
	name             string
	wire             *toxiproxy.Proxy
	metrics, webhook int
}

func newLab(t *testing.T, namespace, elector string, drain time.Duration) *lab {
	l := &lab{T: t, elector: elector, namespace: namespace, drain: drain, dir: t.TempDir()}
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	l.diary = diary{guard: guard, ready: map[string]bool{}, changed: make(chan struct{})}
	require.NoError(t, cluster.Namespace(t.Context(), namespace))
	_, err = cluster.Admin().CoreV1().ConfigMaps(namespace).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "to-reconcile"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = cluster.Admin().CoordinationV1().Leases(namespace).Create(t.Context(),
		&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}, metav1.CreateOptions{})
	require.NoError(t, err)
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "tls.crt"), certificate, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "tls.key"), key, 0o600))
	return l
}

// start starts another replica, and waits until it is a candidate.
func (l *lab) start() *process {
	l.Helper()
	l.started++
	p := &process{name: fmt.Sprintf("%s-%d", l.elector, l.started)}
	config := cluster.AdminConfig()
	host, err := url.Parse(config.Host)
	require.NoError(l, err)
	quiet := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p.wire = toxiproxy.NewProxy(quiet, p.name, "127.0.0.1:0", host.Host)
	require.NoError(l, p.wire.Start())
	l.Cleanup(p.wire.Stop)
	config.Host, config.ServerName = "https://"+p.wire.Listen, host.Hostname()
	kubeconfig, err := cluster.Kubeconfig(l.namespace+"-"+p.name, config)
	require.NoError(l, err)
	ports, err := proc.FreePorts(2)
	require.NoError(l, err)
	_, err = fmt.Sscan(ports[0]+" "+ports[1], &p.metrics, &p.webhook)
	require.NoError(l, err)

	log, err := os.Create(filepath.Join(l.dir, p.name+".log"))
	require.NoError(l, err)
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envReplica+"=1")
	p.Process, err = proc.Start(cmd, proc.Options{
		Tell: order{
			Name: p.name, Elector: l.elector, Kubeconfig: kubeconfig, Namespace: l.namespace, Lease: leaseName,
			Metrics: p.metrics, Webhook: p.webhook, Certs: l.dir, Drain: l.drain, Graceful: l.graceful,
		},
		Out: func(line []byte) { l.diary.hear(p.name, line) },
		Err: func(line []byte) { _, _ = log.Write(append(line, '\n')) },
	})
	require.NoError(l, err)
	l.Cleanup(func() {
		p.Stop(l.drain + 20*time.Second)
		_ = log.Close()
		if l.Failed() {
			l.Logf("%s said:\n%s", p.name, proc.Tail(log.Name()))
		}
	})
	l.await(p.name+" is no candidate", func(d *diary) bool { return d.ready[p.name] })
	return p
}

// await waits until the diary shows something. A busy machine takes its time.
func (l *lab) await(what string, shows func(*diary) bool) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), 2*time.Minute)
	defer cancel()
	for {
		changed, ok := l.diary.look(shows)
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			require.FailNow(l, what)
		}
	}
}

// works waits until a replica is at work.
func (l *lab) works(p *process) {
	l.Helper()
	l.await(p.name+" is not at work", func(d *diary) bool { return d.span(p.name) != nil })
}

// diary is when which replica was at work. The work of hotseat's replicas carries a token: what
// the guard refuses of it is no work, but an attempt.
type diary struct {
	guard *fencing.Memory

	mu      sync.Mutex
	ready   map[string]bool
	spans   []*span
	changed chan struct{} // closed and made anew when something was heard
}

// span is the work of one replica.
type span struct {
	who         string
	first, last time.Time
	refused     int       // attempts that the guard refused
	attempt     time.Time // the last of them
}

func (d *diary) hear(who string, line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		return
	}
	admitted := e.Token == ""
	if token, err := fencing.ParseToken(e.Token); err == nil {
		admitted = d.guard.Check(context.Background(), token) == nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.span(who)
	switch {
	case e.Ready:
		d.ready[who] = true
	case s == nil && admitted:
		d.spans = append(d.spans, &span{who: who, first: e.At, last: e.At})
	case s != nil && admitted && e.At.After(s.last):
		s.last = e.At
	case s != nil && !admitted:
		s.refused, s.attempt = s.refused+1, e.At
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *diary) look(shows func(*diary) bool) (<-chan struct{}, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed, shows(d)
}

// span is a replica's; nil if it was not at work. The caller holds mu.
func (d *diary) span(who string) *span {
	for _, s := range d.spans {
		if s.who == who {
			return s
		}
	}
	return nil
}

// all returns the spans in the order in which they began.
func (d *diary) all() (out []span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.spans {
		out = append(out, *s)
	}
	return out
}

// overlap is for how long two replicas were at work at most.
func (d *diary) overlap() (most time.Duration) {
	all := d.all()
	for i, a := range all {
		for _, b := range all[i+1:] {
			from, to := a.first, a.last
			if b.first.After(from) {
				from = b.first
			}
			if b.last.Before(to) {
				to = b.last
			}
			most = max(most, to.Sub(from))
		}
	}
	return most
}
