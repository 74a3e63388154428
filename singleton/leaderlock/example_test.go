package leaderlock_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// A program that called leaderelection.RunOrDie. In a service the client comes from
// [singleton.DefaultClient].
func ExampleLock_RunElector() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	lock, err := leaderlock.New(cluster.Client("a"), singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: quiet(),
	})
	if err != nil {
		panic(err)
	}
	err = lock.RunElector(ctx, leaderelection.LeaderElectionConfig{
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				_, fenced := fencing.FromContext(ctx)
				fmt.Println("leading, with a token:", fenced)
				cancel() // what SIGTERM does
				<-ctx.Done()
				fmt.Println("still the holder:", *cluster.Lease().Spec.HolderIdentity == lock.Identity())
			},
			OnStoppedLeading: func() {
				fmt.Println("released:", *cluster.Lease().Spec.HolderIdentity == "")
			},
		},
	})
	fmt.Println("error:", err)
	// Output:
	// leading, with a token: true
	// still the holder: true
	// released: true
	// error: <nil>
}

// manager stands for the manager of controller-runtime, which this module does not require.
type options struct {
	LeaderElection                      bool
	LeaderElectionResourceLockInterface *leaderlock.Lock
	BaseContext                         func() context.Context
}

type fakeManager struct{ options }

func newManager(o options) *fakeManager { return &fakeManager{o} }

func (m *fakeManager) Start(ctx context.Context) error {
	if err := lead(ctx, m.LeaderElectionResourceLockInterface); err != nil {
		return err
	}
	_, fenced := fencing.FromContext(m.BaseContext())
	fmt.Println("controllers run, with a token:", fenced)
	return nil
}

// A manager of controller-runtime.
func ExampleLock_Run() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	lock, err := leaderlock.New(cluster.Client("a"), singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: quiet(),
	})
	if err != nil {
		panic(err)
	}
	manager := newManager(options{
		LeaderElection:                      true,
		LeaderElectionResourceLockInterface: lock,
		BaseContext:                         lock.BaseContext,
	})
	fmt.Println("error:", lock.Run(context.Background(), manager.Start))
	// Output:
	// controllers run, with a token: true
	// error: <nil>
}
