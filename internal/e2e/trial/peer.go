//go:build unix

package trial

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

// runPeer is a candidate of client-go's elector, which is one shot: after a loss
// it only waits for ctx. Run does not wait for the work, so runPeer does.
func (r *replica) runPeer(ctx context.Context, in *singleton.Client) error {
	var client coordclient.LeasesGetter
	var err error
	if in != nil {
		client = coordclient.New(in.RESTClient())
	} else if client, err = coordclient.NewForConfig(r.api()); err != nil {
		return err
	}
	began, ended := make(chan struct{}), make(chan struct{})
	config := r.clientGo(func(work context.Context) {
		defer close(ended)
		close(began)
		r.report(Event{Kind: Acquired})
		<-work.Done()
		if ctx.Err() != nil {
			time.Sleep(r.Drain)
		}
		r.report(Event{Kind: Ended})
	})
	config.Lock = &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Lease},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_%d", r.Name, r.pid)},
	}
	elector, err := leaderelection.NewLeaderElector(config)
	if err != nil {
		return err
	}
	elector.Run(klog.NewContext(ctx, klog.Logger{}))
	<-ctx.Done()
	select {
	case <-began:
		<-ended
	default:
	}
	return nil
}

// runLock is a candidate of client-go's elector over a lock of hotseat's.
func (r *replica) runLock(
	ctx context.Context, client *singleton.Client, config singleton.Config,
) error {
	lock, err := leaderlock.New(client, config)
	if err != nil {
		return err
	}
	return lock.RunElector(klog.NewContext(ctx, klog.Logger{}), r.clientGo(func(ctx context.Context) {
		r.report(Event{Kind: Led})
		_ = r.work(ctx, lock.Elector().Status().Term) // always nil
	}))
}

// clientGo is the configuration of client-go's elector.
func (r *replica) clientGo(work func(context.Context)) leaderelection.LeaderElectionConfig {
	return leaderelection.LeaderElectionConfig{
		Name:            r.Lease,
		LeaseDuration:   r.Timing.LeaseDuration,
		RenewDeadline:   r.Timing.RenewDeadline,
		RetryPeriod:     r.Timing.RetryPeriod,
		ReleaseOnCancel: !r.Keep,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: work,
			OnStoppedLeading: func() {},
		},
	}
}
