package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/monitoring/scraper"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
)

// stage is all that runs: the API server and the guard in this process, replicas and Prometheus in
// processes of their own.
type stage struct {
	dir      string
	cluster  *apiserver.Cluster
	server   *httptest.Server // of cluster
	guard    guard
	replicas map[string]*replica // by Pod
	started  int
	prom     *scraper.Prometheus
	closers  []func()
}

// guard is the resource's.
type guard struct {
	*fencingprom.Tracker
	server *httptest.Server
	down   atomic.Bool
}

type replica struct {
	*proc.Process
	pod, addr string
}

func newCluster() (*apiserver.Cluster, error) {
	c := apiserver.New(apiserver.Options{})
	_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}})
	return c, err
}

func openStage(ctx context.Context, dir string) (_ *stage, err error) {
	s := &stage{dir: dir, replicas: map[string]*replica{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.cluster, err = newCluster(); err != nil {
		return nil, err
	}
	s.server = httptest.NewServer(s.cluster)
	s.closers = append(s.closers, s.cluster.Close, s.server.Close)
	memory, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return nil, err
	}
	if s.guard.Tracker, err = fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"}); err != nil {
		return nil, err
	}
	front, err := httpfence.NewServer(httpfence.ServerConfig{
		Guard: s.guard.Tracker, Scope: fencing.Scope(namespace, leaseName),
	})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.guard.Tracker)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/guard", func(w http.ResponseWriter, r *http.Request) {
		if s.guard.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		front.Endpoint().ServeHTTP(w, r)
	})
	s.guard.server = httptest.NewServer(mux)
	s.closers = append(s.closers, s.guard.server.Close)
	if s.prom, err = scraper.Start(ctx, scraper.Config{Dir: dir, Below: "."}); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.prom.Close)
	return s, s.writeTargets()
}

// close ends everything, the last first.
func (s *stage) close() {
	for _, r := range s.replicas {
		r.Kill()
	}
	for _, end := range slices.Backward(s.closers) {
		end()
	}
}

// start runs another replica on an API server, and waits until it could take over.
func (s *stage) start(ctx context.Context, server, guard string) (*replica, error) {
	ports, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s.started++
	r := &replica{pod: fmt.Sprintf("invoicer-%d", s.started), addr: "127.0.0.1:" + ports[0]}
	r.Process, err = proc.Start(proc.Self(replicaArg), proc.Options{
		Tell: spec{Server: server, Pod: r.pod, Listen: r.addr, Guard: guard},
		Log:  filepath.Join(s.dir, r.pod+".log"),
	})
	if err != nil {
		return nil, err
	}
	s.replicas[r.pod] = r
	if err := s.writeTargets(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return r, r.Await(ctx, func(ctx context.Context) error { return r.ask(ctx, "/readyz") })
}

// startHere is start on the stage's own server, with its guard.
func (s *stage) startHere(ctx context.Context) error {
	_, err := s.start(ctx, s.server.URL, s.guard.server.URL+"/guard")
	return err
}

// end ends a replica in order, or kills it.
func (s *stage) end(r *replica, kill bool) error {
	if kill {
		r.Kill()
	} else {
		r.Stop(30 * time.Second)
	}
	delete(s.replicas, r.pod)
	return s.writeTargets()
}

// ask is a request that has to be answered by 200.
func (r *replica) ask(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr+path, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", r.pod, path, answer.Status)
	}
	return nil
}

// active is the replica that the Lease names.
func (s *stage) active() (*replica, error) {
	for _, r := range s.replicas {
		record := lease.NewRecord(s.cluster.Lease(namespace, leaseName))
		if holder := record.Holder(); len(holder) > len(r.pod) && holder[:len(r.pod)+1] == r.pod+"_" {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the Lease names none of %d replicas", len(s.replicas))
}

// writeTargets tells Prometheus whom to scrape.
func (s *stage) writeTargets() error {
	targets := []scraper.Target{{Addr: s.guard.server.Listener.Addr().String(), Labels: labels("ledger-0")}}
	for _, r := range s.replicas {
		targets = append(targets, scraper.Target{Addr: r.addr, Labels: labels(r.pod)})
	}
	return s.prom.Scrape(targets)
}

func labels(pod string) map[string]string {
	return map[string]string{"namespace": namespace, "pod": pod}
}
