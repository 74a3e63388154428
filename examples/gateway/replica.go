package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/examples/gateway/client"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/route"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// linger is how long a replica that was told to end still refuses requests. Whoever balances the
// load learns of the next active meanwhile, and clients get a 503 instead of a broken connection.
// kube-proxy may take a second for each of two changes of labels.
const linger = 3 * time.Second

// settings of a replica.
type settings struct {
	listen, models string
	timing         lease.Timing
}

// replica is the whole life of one, until ctx ends.
func replica(ctx context.Context, s settings) error {
	api, err := singleton.DefaultClient() // or $KUBECONFIG outside a cluster
	if err != nil {
		return err
	}
	g, err := newGateway(api, singleton.Config{Timing: s.timing}, lookAt(s.models))
	if err != nil {
		return err
	}
	work := idle
	if os.Getenv("TRAFFIC") == "label" { // the component of examples/deploy
		router, err := route.ByLabel(api, route.LabelConfig{
			Pods: "app=gateway", Options: route.Options{AtEnd: route.Leave}, // who is not active refuses
		})
		if err != nil {
			return err
		}
		work = router.Work(idle)
	}
	server := &http.Server{
		Addr: s.listen, Handler: g.handler(), ConnState: g.gate.ConnState, ReadHeaderTimeout: time.Second,
	}
	up, fail := context.WithCancelCause(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { fail(server.ListenAndServe()) })
	defer serving.Wait()
	defer func() { _ = server.Close() }()

	err = g.run(up, work)
	if ctx.Err() == nil {
		return errors.Join(err, context.Cause(up)) // the server's
	}
	time.Sleep(linger)
	return err
}

// gateway is a replica without its server.
type gateway struct {
	elector *singleton.Elector
	gate    *serving.Gate
	picker  *picker
}

func newGateway(
	api *singleton.Client, config singleton.Config, look func(context.Context) ([]model, error),
) (*gateway, error) {
	p := &picker{look: look}
	config.Name = "gateway"
	config.Replica.WarmUp = p.warmUp // before that, it is no candidate
	elector, err := singleton.New(api, config)
	if err != nil {
		return nil, err
	}
	return &gateway{elector: elector, gate: serving.NewGate(elector), picker: p}, nil
}

// run is a candidate, and keeps the cache warm, until ctx ends.
func (g *gateway) run(ctx context.Context, work singleton.Work) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { g.picker.follow(ctx) })
	defer following.Wait()
	defer cancel()
	return g.elector.Run(ctx, g.gate.Work(work))
}

// idle is the work: to answer requests is all there is to do.
func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

// handler answers probes and load balancers on every replica, and /pick on the active one.
func (g *gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/livez", probe(g.elector.Live))
	mux.Handle("/readyz", probe(g.elector.Ready)) // a standby is ready, too
	mux.Handle("/active", g.elector.RoleHandler())
	mux.Handle("/pick", g.gate.RequireActive(http.HandlerFunc(g.pick)))
	return mux
}

func (g *gateway) pick(w http.ResponseWriter, r *http.Request) {
	server, age, err := g.picker.pick(r.FormValue("prompt"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	name, _, _ := strings.Cut(g.elector.Identity(), "_")
	token, _ := fencing.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(client.Pick{
		Server: server, Replica: name, Epoch: token.Epoch, AgeMillis: age.Milliseconds(),
	})
}

func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
}
