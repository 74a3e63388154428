//go:build unix

package frameworks

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

const envReplica = "HOTSEAT_FRAMEWORKS_REPLICA"

// The two elections that are compared.
const (
	hotseat  = "hotseat"
	clientGo = "client-go"
)

// order is what a replica is told, as one line on its standard input.
type order struct {
	Name, Elector    string
	Kubeconfig       string
	Namespace, Lease string
	Metrics, Webhook int           // ports on loopback
	Certs            string        // folder of the webhook's certificate
	Drain            time.Duration // how long the third controller needs to stop
	Graceful         time.Duration // GracefulShutdownTimeout; 0: the default, 30 s
}

// event is what a replica reports, as one line on its standard output.
type event struct {
	Ready bool      // it is a candidate; else it works at this moment
	At    time.Time // by the machine's clock, which all replicas share
	Token string    // of the work's context; empty with client-go
}

// beat is how often a controller at work says so.
const beat = 50 * time.Millisecond

// live is the whole life of a replica: an operator's main function.
func live() {
	var o order
	err := proc.Told(&o)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
		err = newReplica(o).run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) // as a kubebuilder scaffold does
	}
}

type replica struct {
	order
	mu  sync.Mutex // of the standard output
	out *json.Encoder
}

func newReplica(o order) *replica { return &replica{order: o, out: json.NewEncoder(os.Stdout)} }

func (r *replica) say(e event) {
	e.At = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.out.Encode(e); err != nil {
		panic(err) // nobody hears this replica any more
	}
}

// options are what both elections have in common.
func (r *replica) options() ctrl.Options {
	options := ctrl.Options{
		Cache:          cache.Options{DefaultNamespaces: map[string]cache.Config{r.Namespace: {}}},
		Metrics:        server.Options{BindAddress: fmt.Sprintf("127.0.0.1:%d", r.Metrics)},
		WebhookServer:  webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: r.Webhook, CertDir: r.Certs}),
		LeaderElection: true,
	}
	if r.Graceful > 0 {
		options.GracefulShutdownTimeout = &r.Graceful
	}
	return options
}

func (r *replica) run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", r.Kubeconfig)
	if err != nil {
		return err
	}
	if r.Elector == hotseat {
		return r.withHotseat(ctx, config)
	}
	options := r.options()
	options.LeaderElectionID, options.LeaderElectionNamespace = r.Lease, r.Namespace
	options.LeaderElectionReleaseOnCancel = true
	m, err := r.manager(config, options, func() error { return nil })
	if err != nil {
		return err
	}
	return m.Start(ctx)
}

func (r *replica) withHotseat(ctx context.Context, config *rest.Config) error {
	client, err := singleton.NewClient(config)
	if err != nil {
		return err
	}
	lock, err := leaderlock.New(client, singleton.Config{
		Name: r.Lease, Namespace: r.Namespace, Replica: singleton.ReplicaConfig{Identity: r.Name},
	})
	if err != nil {
		return err
	}
	options := r.options()
	options.LeaderElectionResourceLockInterface = lock
	options.BaseContext = lock.BaseContext
	if err := lock.CheckShutdown(options.GracefulShutdownTimeout); err != nil {
		return err
	}
	if err := metrics.Registry.Register(lock.Elector()); err != nil {
		return err
	}
	m, err := r.manager(config, options, lock.Elector().Ready)
	if err != nil {
		return err
	}
	return lock.Run(ctx, m.Start)
}

// manager has three controllers, a webhook server, and a runnable of every replica, which says
// when this one is a candidate.
func (r *replica) manager(
	config *rest.Config, options ctrl.Options, ready func() error,
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
	m.GetWebhookServer() // a manager starts it if it was asked for
	return m, m.Add(standby{func(ctx context.Context) error {
		for ready() != nil && ctx.Err() == nil {
			time.Sleep(beat)
		}
		r.say(event{Ready: true})
		<-ctx.Done()
		return nil
	}})
}

// standby is a runnable that needs no election.
type standby struct{ run func(context.Context) error }

func (s standby) Start(ctx context.Context) error { return s.run(ctx) }
func (s standby) NeedLeaderElection() bool        { return false }

// work is a reconciliation, which comes again at once.
func (r *replica) work(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	r.say(event{Token: tokenOf(ctx)})
	return reconcile.Result{RequeueAfter: beat}, nil
}

func tokenOf(ctx context.Context) string {
	if token, ok := fencing.FromContext(ctx); ok {
		return token.String()
	}
	return ""
}

// slow is one that is in the midst of something when it is to stop.
func (r *replica) slow(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	token := tokenOf(ctx)
	<-ctx.Done()
	for until := time.Now().Add(r.Drain); time.Now().Before(until); time.Sleep(beat / 5) {
		r.say(event{Token: token})
	}
	return reconcile.Result{}, nil
}
