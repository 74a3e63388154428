package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/evidence"
	"github.com/hotseat-go/hotseat/singleton/route"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// The variables that components of examples/deploy set.
const (
	envEvidence = "EVIDENCE" // pods: Pods prove that the process of a holder is dead
	envTraffic  = "TRAFFIC"  // label or slice: how a Service's traffic gets to the active
)

// settle is how long requests of a process that has died may take to arrive. There is no guard here.
const settle = 2 * time.Second

// told reports whether a component has told this replica anything.
func told() bool { return os.Getenv(envEvidence)+os.Getenv(envTraffic) != "" }

// withComponents is run, and does what components have told this replica.
func withComponents(ctx context.Context) error {
	client, err := singleton.DefaultClient()
	if err != nil {
		return err
	}
	elector, server, work, err := assembled(client)
	if err != nil {
		return err
	}
	prometheus.MustRegister(elector)
	go func() { log.Fatal(server.ListenAndServe()) }()
	return elector.Run(ctx, work)
}

// assembled are the parts, of which none runs yet.
func assembled(client *singleton.Client) (*singleton.Elector, *http.Server, singleton.Work, error) {
	config, err := configured(client)
	if err != nil {
		return nil, nil, nil, err
	}
	elector, err := singleton.New(client, config)
	if err != nil {
		return nil, nil, nil, err
	}
	work, err := routed(client, untilOver)
	if err != nil {
		return nil, nil, nil, err
	}
	gate := serving.NewGate(elector)
	mux := probes(elector)
	mux.Handle("/", gate.RequireActive(http.HandlerFunc(answer)))
	server := newServer(mux)
	server.ConnState = gate.ConnState
	return elector, server, gate.Work(work), nil
}

// configured is what the elector is told.
func configured(client *singleton.Client) (singleton.Config, error) {
	config := singleton.Config{Name: "invoicer"}
	var err error
	switch kind := os.Getenv(envEvidence); kind {
	case "":
	case "pods":
		config.Fencing.Settle = settle
		if config.Evidence, err = evidence.NewPods(client, evidence.Config{}); err != nil {
			return config, err
		}
	default:
		return config, fmt.Errorf("$%s is %q, and must be pods or empty", envEvidence, kind)
	}
	config.Timing, err = timing()
	return config, err
}

// timing is the default where a variable is empty.
func timing() (t lease.Timing, err error) {
	var errs []error
	for name, field := range map[string]*time.Duration{
		"LEASE_DURATION": &t.LeaseDuration,
		"RENEW_DEADLINE": &t.RenewDeadline,
		"RETRY_PERIOD":   &t.RetryPeriod,
	} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		if *field, err = time.ParseDuration(text); err != nil {
			errs = append(errs, fmt.Errorf("$%s: %w", name, err))
		}
	}
	return t, errors.Join(errs...)
}

// routed runs work with the traffic of the Service that the component brings.
func routed(client *singleton.Client, work singleton.Work) (singleton.Work, error) {
	var router *route.Router
	var err error
	switch way := os.Getenv(envTraffic); way {
	case "":
		return work, nil
	case "label":
		router, err = route.ByLabel(client, route.LabelConfig{Pods: "app=invoicer"})
	case "slice":
		router, err = route.BySlice(client, route.SliceConfig{
			Service: "invoicer",
			Options: route.Options{AtEnd: route.Leave}, // the gate refuses meanwhile
		})
	default:
		err = fmt.Errorf("$%s is %q, and must be label, slice or empty", envTraffic, way)
	}
	if err != nil {
		return nil, err
	}
	return router.Work(work), nil
}

// untilOver leaves the rest to the handler.
func untilOver(ctx context.Context, term *singleton.Term) error {
	log.Printf("serving; token %v", term.Token())
	<-ctx.Done()
	return nil
}

// answer is what clients of the Service get. Only the active runs it.
func answer(w http.ResponseWriter, r *http.Request) {
	token, _ := fencing.FromContext(r.Context())
	fmt.Fprintln(w, os.Getenv("POD_NAME"), "is active; token", token)
}
