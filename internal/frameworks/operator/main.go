//go:build unix

// Command operator is a manager of controller-runtime that runs in a Pod, for internal/node. It reports
// its work by datagrams, in the form of package trial's events, so that nobody has to read its log.
//
//	ELECTOR  hotseat, client-go or none
//	REPORT   the address that hears of the work
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

const (
	leaseName = "invoicer" // examples/deploy's
	beat      = 50 * time.Millisecond
	drain     = 500 * time.Millisecond // what the third controller needs to stop
)

func main() {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	if err := run(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	connection, err := net.Dial("udp", os.Getenv("REPORT"))
	if err != nil {
		return fmt.Errorf("REPORT: %w", err)
	}
	r := &replica{
		connection: connection, pid: 1 + rand.IntN(1<<30),
		pod: os.Getenv("POD_NAME"), namespace: os.Getenv("POD_NAMESPACE"),
	}
	r.say("started", "")
	defer r.say("exited", "")
	switch elector := os.Getenv("ELECTOR"); elector {
	case "hotseat":
		return r.withHotseat(ctx, config)
	case "client-go", "none":
		options := r.options()
		options.LeaderElection = elector != "none"
		options.LeaderElectionID, options.LeaderElectionNamespace = leaseName, r.namespace
		options.LeaderElectionReleaseOnCancel = true
		m, err := r.manager(config, options, healthz.Ping, healthz.Ping)
		if err != nil {
			return err
		}
		return r.start(m)(ctx)
	default:
		return fmt.Errorf("ELECTOR: %q: must be hotseat, client-go or none", elector)
	}
}

// replica is one process of the operator. Its id is 1 like everybody's in a Pod, so it has another.
type replica struct {
	connection     net.Conn
	pid            int
	pod, namespace string
	begun          sync.Once
}

func (r *replica) withHotseat(ctx context.Context, config *rest.Config) error {
	client, err := singleton.NewClient(config)
	if err != nil {
		return err
	}
	lock, err := leaderlock.New(client, singleton.Config{Name: leaseName, Namespace: r.namespace})
	if err != nil {
		return err
	}
	options := r.options()
	options.LeaderElection = true
	options.LeaderElectionResourceLockInterface = lock
	options.BaseContext = lock.BaseContext
	ready := func(*http.Request) error { return lock.Elector().Ready() }
	live := func(*http.Request) error { return lock.Elector().Live() }
	m, err := r.manager(config, options, ready, live)
	if err != nil {
		return err
	}
	return lock.Run(ctx, r.start(m))
}

// start says when all work has ended.
func (r *replica) start(m manager.Manager) func(context.Context) error {
	return func(ctx context.Context) error {
		defer r.say("ended", "")
		return m.Start(ctx)
	}
}

// options are what all elections have in common.
func (r *replica) options() ctrl.Options {
	return ctrl.Options{
		Cache:                  cache.Options{DefaultNamespaces: map[string]cache.Config{r.namespace: {}}},
		Metrics:                server.Options{BindAddress: "0"},
		HealthProbeBindAddress: ":8080", LivenessEndpointName: "/livez",
	}
}

// manager has three controllers.
func (r *replica) manager(
	config *rest.Config, options ctrl.Options, ready, live healthz.Checker,
) (manager.Manager, error) {
	m, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, err
	}
	for name, work := range map[string]reconcile.Func{"first": r.work, "second": r.work, "slow": r.slow} {
		if err := ctrl.NewControllerManagedBy(m).Named(name).For(&corev1.ConfigMap{}).Complete(work); err != nil {
			return nil, err
		}
	}
	return m, errors.Join(m.AddReadyzCheck("ready", ready), m.AddHealthzCheck("live", live))
}

// work is a reconciliation, which comes again at once.
func (r *replica) work(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	r.works(tokenOf(ctx))
	return reconcile.Result{RequeueAfter: beat}, nil
}

// slow is one that is in the midst of something when it is to stop.
func (r *replica) slow(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	token := tokenOf(ctx)
	<-ctx.Done()
	for until := time.Now().Add(drain); time.Now().Before(until); time.Sleep(beat / 5) {
		r.works(token)
	}
	return reconcile.Result{}, nil
}

func tokenOf(ctx context.Context) string {
	if token, ok := fencing.FromContext(ctx); ok {
		return token.String()
	}
	return ""
}

// works says that there is work at this moment.
func (r *replica) works(token string) {
	r.begun.Do(func() { r.say("acquired", token) })
	r.say("worked", token)
}

func (r *replica) say(kind, token string) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	event := map[string]any{"at": now.Nano(), "kind": kind, "replica": r.pod, "pid": r.pid}
	if token != "" {
		event["token"] = token
	}
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	_, _ = r.connection.Write(line)
}
