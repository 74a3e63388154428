package main

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// peer is client-go's elector, used as its documentation shows.
func peer() elector { return elector{name: "client-go", stand: standPeer} }

// standPeer calls LeaderElector.Run, which is one shot: it returns on a loss.
// With rerun it is called again with a new elector, as a restarted process
// would, until ctx ends.
func standPeer(ctx context.Context, r replica) error {
	ctx = klog.NewContext(ctx, klog.Logger{}) // its log says nothing we measure
	client, err := r.ownClient()
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
	lock := &observedLock{Interface: &resourcelock.LeaseLock{
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
				defer lock.working.Done()
				_ = r.work(ctx, le.IsLeader, lock.transitions.Load()) // it takes no error
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	le.Run(ctx)
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

func (l *observedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Create(ctx, record))
}

func (l *observedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Update(ctx, record))
}

func (l *observedLock) wrote(record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil {
		l.transitions.Store(int64(record.LeaderTransitions))
	}
	return err
}

func (l *observedLock) RecordEvent(what string) {
	if what == "became leader" { // once per call of OnStartedLeading, before it
		l.working.Add(1)
	}
	l.Interface.RecordEvent(what)
}
