package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/peerlock"
)

// peerTimeout is what components that use client-go's elector set as their
// client's timeout; hotseat brings its own deadlines. Where the server is slow
// they are taken to know it: then nothing is given up before the elector does.
func (p Plan) peerTimeout() time.Duration {
	if slices.ContainsFunc(p.Faults, Fault.slow) {
		return p.Timing.RenewDeadline
	}
	return 5 * time.Second
}

// peer is a candidate with client-go's elector, which is one shot: after a loss
// it is run again, as a restarted process would. Each time it has another
// identity, as the components of Kubernetes and controller-runtime do it.
func (p *process) peer(ctx context.Context) error {
	ctx = klog.NewContext(ctx, klog.Logger{}) // what it logs is not looked at
	for n := 1; ctx.Err() == nil; n++ {
		if err := p.peerOnce(ctx, fmt.Sprintf("%s_%d.%d", p.name, p.number, n)); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) peerOnce(ctx context.Context, identity string) error {
	t := p.world.plan.timing(p.node.Node)
	lock := &peerlock.Observed{Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: leaseName},
		Client:     client{process: p},
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}}
	var elector *leaderelection.LeaderElector
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: leaseName,
		LeaseDuration: t.LeaseDuration, RenewDeadline: t.RenewDeadline, RetryPeriod: t.RetryPeriod,
		ReleaseOnCancel: p.node.Elector == ClientGoRelease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer lock.Returned()
				token := fencing.Token{Scope: fencing.Scope(namespace, leaseName), Epoch: lock.Token()}
				p.work(&job{
					process: p, ctx: ctx, began: time.Now(), valid: func() bool { return ctx.Err() == nil },
					token: func() fencing.Token { return token }, progress: func() {},
				})
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	lock.Wait() // Run does not
	return nil
}
