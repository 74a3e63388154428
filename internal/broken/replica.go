package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// behaviour is how a replica differs from a sound one.
type behaviour struct {
	program string        // whose program it is, on the Lease
	skew    time.Duration // of its wall clock
	deaf    bool          // its work ignores its context
	wedged  bool          // its work stands still after a while
}

// replica is one process of the service, as a goroutine.
type replica struct {
	name     string
	behaves  behaviour
	elector  *singleton.Elector
	invoices prometheus.Counter
	address  string
	ctx      context.Context // ends all that the replica does
	cancel   context.CancelFunc
	running  sync.WaitGroup
	log      *os.File
}

func newReplica(_ *stand, name string) *replica {
	r := &replica{name: name, behaves: behaviour{program: service}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.invoices = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "invoicer_invoices_total", Help: "Invoices that this replica has written.",
	})
	return r
}

// start runs the elector and serves the pages. stop ends both.
func (r *replica) start(s *stand) (err error) {
	if r.log, err = os.Create(filepath.Join(s.folder, r.name+".log")); err != nil {
		return err
	}
	config := s.server.RESTConfig(r.name)
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json" // skewed reads it
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return skewed{next, r.behaves.skew} })
	if r.elector, err = r.newElector(s, config); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.address = listener.Addr().String()
	server := &http.Server{Handler: r.pages(), ReadHeaderTimeout: 10 * time.Second}
	r.running.Go(func() { _ = server.Serve(listener) }) // until Close
	r.running.Go(func() { <-r.ctx.Done(); _ = server.Close() })
	r.running.Go(func() { r.live(s) })
	return nil
}

// live runs the elector, again and again, as a kubelet does it with a container that ends.
func (r *replica) live(s *stand) {
	for r.ctx.Err() == nil {
		if err := r.elector.Run(r.ctx, r.work(s)); err != nil {
			fmt.Fprintln(r.log, "Run ended, and begins again:", err)
		}
		select {
		case <-time.After(2 * time.Second):
		case <-r.ctx.Done():
		}
	}
}

func (r *replica) newElector(s *stand, config *rest.Config) (*singleton.Elector, error) {
	client, err := singleton.NewClient(config)
	if err != nil {
		return nil, err
	}
	return singleton.New(client, singleton.Config{
		Namespace: namespace, Name: service, Timing: s.timing,
		Replica: singleton.ReplicaConfig{
			Identity: r.name, Program: r.behaves.program, ProgressWithin: 5 * s.timing.WithDefaults().RetryPeriod,
		},
		Guards:  []fencing.Guard{s.guard},
		Fencing: singleton.FencingConfig{AnnouncePeriod: 5 * time.Second},
		Logger:  slog.New(slog.NewTextHandler(r.log, nil)),
	})
}

func (r *replica) pages() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.elector, r.invoices)
	mux := http.NewServeMux()
	mux.Handle("/status", statuspage.Handler(r.elector))
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.elector.Ready()) })
	mux.HandleFunc("/live", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.elector.Live()) })
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// wedgedAfter is how many invoices wedged work writes before it stands still.
const wedgedAfter = 5

// work writes an invoice each half second.
func (r *replica) work(s *stand) singleton.Work {
	return func(ctx context.Context, term *singleton.Term) error {
		for n := 0; ctx.Err() == nil; n++ {
			term.Progress()
			if r.behaves.wedged && n == wedgedAfter {
				<-ctx.Done() // what it waits for never comes: it calls Progress no more
				return nil
			}
			err := s.guard.InTx(ctx, term.Token(), nil, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO invoices VALUES ($1, $2)", n, r.name)
				return err
			})
			switch {
			case err == nil:
				r.invoices.Inc()
			case !errors.Is(err, context.Canceled):
				fmt.Fprintln(r.log, "invoice not written:", err)
			}
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		if r.behaves.deaf {
			<-r.ctx.Done()
		}
		return nil
	}
}

// stop ends the replica, and waits for it.
func (r *replica) stop() {
	r.cancel()
	r.running.Wait()
	if r.log != nil {
		_ = r.log.Close() // nobody reads it any more
	}
}
