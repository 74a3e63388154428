package main

import (
	"cmp"
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/internal/peerlock"
	"github.com/hotseat-go/hotseat/internal/scenario"
)

// peer is client-go's elector, used as its documentation shows.
func peer() elector { return elector{name: "client-go", stand: standPeer} }

// standPeer calls LeaderElector.Run, which is one shot: it returns on a loss.
// With rerun it is called again with a new elector, as a restarted process
// would, until ctx ends.
func standPeer(ctx context.Context, r replica) error {
	ctx = klog.NewContext(ctx, klog.Logger{}) // its log says nothing we measure
	client, err := kubernetes.NewForConfig(r.config)
	if err != nil {
		return err
	}
	for {
		if err := runPeer(ctx, client, r); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !r.rerun {
			<-ctx.Done()
			return nil
		}
	}
}

func runPeer(ctx context.Context, client kubernetes.Interface, r replica) error {
	lock := &peerlock.Observed{Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: scenario.Namespace, Name: r.lease},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: r.identity},
	}}
	var le *leaderelection.LeaderElector
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		Name:            r.lease,
		LeaseDuration:   cmp.Or(r.timing.LeaseDuration, 15*time.Second),
		RenewDeadline:   cmp.Or(r.timing.RenewDeadline, 10*time.Second),
		RetryPeriod:     cmp.Or(r.poll, r.timing.RetryPeriod, 2*time.Second),
		ReleaseOnCancel: r.release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer lock.Returned()
				_ = r.work(ctx, le.IsLeader, lock.Token()) // it takes no error
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	le.Run(ctx)
	lock.Wait() // Run does not
	return nil
}
