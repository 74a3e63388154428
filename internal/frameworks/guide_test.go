package frameworks

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// The guide shows elect to the letter.

// elect has a manager with these options elect by hotseat.
func elect(
	config *rest.Config, options *ctrl.Options, hooks singleton.Hooks,
) (*leaderlock.Lock, error) {
	client, err := singleton.NewClient(config) // of its own, without a rate limiter
	if err != nil {
		return nil, err
	}
	lock, err := leaderlock.New(client, singleton.Config{
		Name:      options.LeaderElectionID,
		Namespace: options.LeaderElectionNamespace, // empty: the Pod's
		Timing: lease.Timing{ // 0: hotseat's default, which is controller-runtime's, too
			LeaseDuration: ptr.Deref(options.LeaseDuration, 0),
			RenewDeadline: ptr.Deref(options.RenewDeadline, 0),
			RetryPeriod:   ptr.Deref(options.RetryPeriod, 0),
		},
		Hooks: hooks,
	})
	if err != nil {
		return nil, err
	}
	options.LeaderElectionResourceLockInterface = lock
	options.BaseContext = lock.BaseContext
	return lock, lock.CheckShutdown(options.GracefulShutdownTimeout)
}

// runOperator is an operator as the guide says, with the election or without.
func runOperator(ctx context.Context, config *rest.Config, options ctrl.Options) error {
	var lock *leaderlock.Lock
	if options.LeaderElection {
		var err error
		if lock, err = elect(config, &options, singleton.Hooks{}); err != nil {
			return err
		}
	}
	manager, err := ctrl.NewManager(config, options)
	if err != nil {
		return err
	}
	if err := setUp(manager); err != nil {
		return err
	}
	if lock == nil {
		return manager.Start(ctx)
	}
	return lock.Run(ctx, manager.Start)
}

// ran is what the operator of these tests says of its runnable.
type ran struct {
	token fencing.Token
	ended chan struct{}
}

var running = make(chan ran)

func setUp(m ctrl.Manager) error {
	return m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		token, _ := fencing.FromContext(ctx)
		r := ran{token: token, ended: make(chan struct{})}
		defer close(r.ended)
		running <- r
		<-ctx.Done()
		return nil
	}))
}

// The guide's operator runs with the election and without, and has a token only with it.
func TestGuidesOperator(t *testing.T) {
	for name, elects := range map[string]bool{"elected": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer.example.com"})
			defer cluster.Close()
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			done := make(chan error, 1)
			go func() {
				done <- runOperator(ctx, cluster.RESTConfig("a"), ctrl.Options{
					LeaderElection: elects, LeaderElectionID: "invoicer.example.com", LeaderElectionNamespace: "shop",
					Metrics: server.Options{BindAddress: "0"},
				})
			}()
			var r ran
			select {
			case r = <-running:
			case err := <-done:
				t.Fatalf("it returned %v", err)
			case <-time.After(30 * time.Second):
				t.Fatal("nothing runs")
			}
			if fenced := r.token != (fencing.Token{}); fenced != elects {
				t.Errorf("token %v", r.token)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			<-r.ended
			if holder := cluster.Lease().Spec.HolderIdentity; holder != nil && *holder != "" {
				t.Errorf("%s still holds the Lease", *holder)
			}
		})
	}
}
