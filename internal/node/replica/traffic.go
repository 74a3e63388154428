package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/reach"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/route"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// Values of WAY or TRAFFIC.
const (
	wayGate    = "gate"    // the Service leads to all replicas; those that are not active refuse
	wayOpen    = "open"    // the same, and whoever was active goes on answering: an audit must see it
	wayNothing = "nothing" // everybody answers, and nobody elects: for the time that a change takes
	wayLabel   = "label"   // the Service leads to the Pod that the active labels
	waySlice   = "slice"   // the active writes the Service's EndpointSlice, with AT_END
)

// inTraffic serves requests until ctx ends.
//
//	/who     the Pod's name and the epoch of its term
//	/stream  goes on until it cannot
//	/resign  hands over
func (r *reporter) inTraffic(ctx context.Context, way string) error {
	if way == wayNothing {
		return r.floor(ctx)
	}
	client, err := singleton.DefaultClient()
	if err != nil {
		return err
	}
	var timing lease.Timing
	if err := json.Unmarshal([]byte(os.Getenv("TIMING")), &timing); err != nil {
		return fmt.Errorf("TIMING: %w", err)
	}
	elector, err := singleton.New(client, singleton.Config{
		Name: os.Getenv("LEASE"), Namespace: os.Getenv("POD_NAMESPACE"),
		Replica: singleton.ReplicaConfig{Identity: r.name},
		Timing: lease.Timing{
			LeaseDuration: timing.LeaseDuration, RenewDeadline: timing.RenewDeadline, RetryPeriod: timing.RetryPeriod,
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	gate := serving.NewGate(elector)
	work, only := gate.Work(r.work), gate.RequireActive
	switch way {
	case wayGate:
	case wayLabel, waySlice:
		router, err := routed(client, way)
		if err != nil {
			return err
		}
		work = gate.Work(router.Work(r.work))
	case wayOpen:
		var last atomic.Int64
		work = func(ctx context.Context, term *singleton.Term) error {
			last.Store(term.Token().Epoch)
			return r.work(ctx, term)
		}
		only = func(h http.Handler) http.Handler { return careless(&last, h) }
	default:
		return fmt.Errorf("WAY=%s: there is no such way", way)
	}
	mux := http.NewServeMux()
	probes(mux, elector.Ready, elector.Live)
	mux.Handle("/who", only(reach.Who(r.name)))
	mux.Handle("/stream", only(http.HandlerFunc(reach.Stream)))
	mux.HandleFunc("/resign", func(http.ResponseWriter, *http.Request) { elector.Resign() })
	server := &http.Server{
		Addr: port, Handler: mux, ConnState: gate.ConnState, ReadHeaderTimeout: 5 * time.Second,
	}
	listening, fail := context.WithCancelCause(ctx)
	go func() { fail(server.ListenAndServe()) }() // ends with the process
	err = elector.Run(listening, work)
	if ctx.Err() == nil {
		return errors.Join(err, context.Cause(listening))
	}
	return err
}

func routed(client *singleton.Client, way string) (*route.Router, error) {
	if way == wayLabel {
		return route.ByLabel(client, route.LabelConfig{Pods: "app=invoicer"})
	}
	ends := map[string]route.AtEnd{"": route.Remove, "drain": route.Drain, "leave": route.Leave}
	text := os.Getenv("AT_END")
	atEnd, known := ends[text]
	if !known {
		return nil, fmt.Errorf("AT_END=%s: a term has no such end", text)
	}
	return route.BySlice(client, route.SliceConfig{
		Options: route.Options{AtEnd: atEnd}, Service: "invoicer",
	})
}

func (r *reporter) work(ctx context.Context, term *singleton.Term) error {
	r.report(r.event(trial.Acquired, term))
	<-ctx.Done()
	e := r.event(trial.Ended, term)
	e.Text = fmt.Sprint(context.Cause(ctx))
	r.report(e)
	return nil
}

func (r *reporter) event(what trial.Kind, term *singleton.Term) trial.Event {
	return trial.Event{At: trial.Now(), Kind: what, Replica: r.name, PID: r.pid, Token: term.Token()}
}

// careless lets requests in from the first term on, and never looks whether that lasts.
func careless(last *atomic.Int64, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		epoch := last.Load()
		if epoch == 0 {
			http.Error(w, "never active", http.StatusServiceUnavailable)
			return
		}
		token := fencing.Token{Epoch: epoch}
		h.ServeHTTP(w, request.WithContext(fencing.NewContext(request.Context(), token)))
	})
}

// floor answers all requests.
func (r *reporter) floor(ctx context.Context) error {
	mux := http.NewServeMux()
	ok := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("/readyz", ok)
	mux.HandleFunc("/livez", ok)
	mux.HandleFunc("/who", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, r.name, 1) })
	go serve(mux)
	<-ctx.Done()
	return nil
}
