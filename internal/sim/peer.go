package sim

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/fencing"
)

// peer is a candidate with client-go's elector, which is one shot: after a loss
// it is run again, as a restarted process would.
func (p *process) peer(ctx context.Context) error {
	ctx = klog.NewContext(ctx, klog.Logger{}) // what it logs is not looked at
	for ctx.Err() == nil {
		if err := p.peerOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) peerOnce(ctx context.Context) error {
	t := p.world.plan.timing(p.node.Node)
	lock := &observedLock{Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: leaseName},
		Client:     client{process: p}.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: p.name},
	}}
	var elector *leaderelection.LeaderElector
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: leaseName,
		LeaseDuration: t.LeaseDuration, RenewDeadline: t.RenewDeadline, RetryPeriod: t.RetryPeriod,
		ReleaseOnCancel: p.node.Elector == ClientGoRelease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer lock.working.Done()
				token := fencing.Token{Scope: namespace + "/" + leaseName, Epoch: lock.transitions.Load()}
				p.work(&job{
					process: p, ctx: ctx, began: time.Now(), valid: func() bool { return ctx.Err() == nil },
					token: func() fencing.Token { return token },
				})
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	lock.working.Wait() // Run does not
	return nil
}

// observedLock tells what the elector itself does not: which leaseTransitions
// it wrote last, and that it is about to call OnStartedLeading.
type observedLock struct {
	resourcelock.Interface
	transitions atomic.Int64
	working     sync.WaitGroup
}

// Create is part of [resourcelock.Interface].
func (l *observedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Create(ctx, record))
}

// Update is part of [resourcelock.Interface].
func (l *observedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Update(ctx, record))
}

func (l *observedLock) wrote(record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil {
		l.transitions.Store(int64(record.LeaderTransitions))
	}
	return err
}

// RecordEvent is part of [resourcelock.Interface].
func (l *observedLock) RecordEvent(what string) {
	if what == "became leader" { // once per call of OnStartedLeading, before it
		l.working.Add(1)
	}
	l.Interface.RecordEvent(what)
}
