// Package peerlock wraps the lock of client-go's elector, so that the simulator
// and the side-by-side bench learn from it what the elector does not tell.
package peerlock

import (
	"context"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Observed is a lock whose last leaseTransitions can be asked for, and whose
// work waited for. Wrap one lock per elector; it must not be copied.
type Observed struct {
	resourcelock.Interface
	transitions atomic.Int64
	working     sync.WaitGroup
}

// Token is the leaseTransitions that the elector wrote last: the nearest thing
// to a fencing token that it has.
func (l *Observed) Token() int64 { return l.transitions.Load() }

// Returned notes that OnStartedLeading is about to return: defer it there.
func (l *Observed) Returned() { l.working.Done() }

// Wait returns once every OnStartedLeading has. LeaderElector.Run does not wait
// for it.
func (l *Observed) Wait() { l.working.Wait() }

// Create is part of [resourcelock.Interface].
func (l *Observed) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Create(ctx, record))
}

// Update is part of [resourcelock.Interface].
func (l *Observed) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.wrote(record, l.Interface.Update(ctx, record))
}

func (l *Observed) wrote(record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil {
		l.transitions.Store(int64(record.LeaderTransitions))
	}
	return err
}

// RecordEvent is part of [resourcelock.Interface].
func (l *Observed) RecordEvent(what string) {
	if what == "became leader" { // once per call of OnStartedLeading, before it
		l.working.Add(1)
	}
	l.Interface.RecordEvent(what)
}
