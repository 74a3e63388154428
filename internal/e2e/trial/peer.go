//go:build unix

package trial

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// runPeer is a candidate of client-go's elector, which is one shot: after a loss
// it only waits for ctx. Run does not wait for the work either; the end of the
// process is then its end.
func (r *replica) runPeer(ctx context.Context) error {
	client, err := coordclient.NewForConfig(r.api())
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Lease},
			Client:     client,
			LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_%d", r.Name, r.pid)},
		},
		Name:            r.Lease,
		LeaseDuration:   r.Timing.LeaseDuration,
		RenewDeadline:   r.Timing.RenewDeadline,
		RetryPeriod:     r.Timing.RetryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				r.report(Event{Kind: Acquired})
				<-ctx.Done()
				r.report(Event{Kind: Ended})
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(klog.NewContext(ctx, klog.Logger{}))
	<-ctx.Done()
	return nil
}
