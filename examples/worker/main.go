// Worker is the smallest service that uses hotseat in a cluster: every replica
// runs it, one at a time works. With components of examples/deploy it does more: components.go.
package main

import (
	"cmp"
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	life := run
	if told() {
		life = withComponents
	}
	if err := life(ctx); err != nil {
		log.Fatal(err)
	}
}

// README example
func run(ctx context.Context) error {
	client, err := singleton.DefaultClient() // or $KUBECONFIG outside a cluster
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer"})
	if err != nil {
		return err
	}
	prometheus.MustRegister(elector)
	go serve(elector)
	return elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
		// One replica at a time is here. ctx ends when it no longer may be.
		for ctx.Err() == nil {
			log.Printf("working; token %v, valid: %v", term.Token(), term.Valid())
			wait(ctx, time.Second)
		}
		return nil
	})
}

// end of README example

// serve answers the probes, Prometheus, and people.
func serve(elector *singleton.Elector) {
	log.Fatal(newServer(probes(elector)).ListenAndServe()) // without probes, nobody would notice that it is stuck
}

// probes are those of the Deployment. A standby is ready: it is able to take over.
func probes(elector *singleton.Elector) *http.ServeMux {
	probe := func(check func() error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if err := check(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/readyz", probe(elector.Ready))
	mux.Handle("/livez", probe(elector.Live))
	mux.Handle("/metrics", promhttp.Handler())
	mux.Handle("/status", statuspage.Handler(elector)) // for people, and kubectl hotseat
	return mux
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Addr: cmp.Or(os.Getenv("LISTEN"), ":8080"), Handler: handler, ReadHeaderTimeout: 5 * time.Second,
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
