package singleton

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/lease"
)

// observer keeps one watch on the Lease, or a share in one, and delivers what it
// sees. When the watch ends it lists and watches again; where watching is
// forbidden it polls.
type observer struct {
	lock   *lease.Lock
	shared *SharedWatch  // nil: there is none
	share  *subscription // in it
	log    *slog.Logger
	seen   chan lease.Observation
	bad    chan error // buffered; a permission that was never there

	listed    bool      // a list was allowed before
	reached   bool      // by the current look
	refused   time.Time // since when listing is forbidden
	pollsSaid bool
	listing   outage
	watching  outage
	current   atomic.Pointer[func()] // renews the watch
}

func newObserver(e *Elector) *observer {
	log := e.config.Logger
	return &observer{
		lock: e.lock, shared: e.config.SharedWatch, log: log, seen: make(chan lease.Observation), bad: make(chan error, 1),
		listing: outage{log: log, what: "listing"}, watching: outage{log: log, what: "watching"},
	}
}

// renew has the current watch replaced: a list showed that it is not delivering.
func (o *observer) renew() {
	if current := o.current.Load(); current != nil {
		(*current)()
	}
}

func (o *observer) renewBy(f func()) { o.current.Store(&f) }

// run observes until ctx ends.
func (o *observer) run(ctx context.Context) {
	if o.shared != nil { // before the first list: what is written after it is not missed
		o.share = o.shared.subscribe(ctx, o.lock)
		defer o.shared.unsubscribe(o.share)
	}
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		o.reached = false
		err := o.look(ctx)
		if o.pointless(err) {
			o.bad <- err
			return
		}
		if time.Since(began) > retryMost && (err == nil || o.reached) {
			failures = 0 // it served for a while
			o.watching.over()
		} else {
			failures++
		}
		most := retryMost
		if o.reached { // only the watch fails, and a standby needs it less
			most = max(most, o.lock.Timing.RetryPeriod)
		}
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, lease.ErrConflict):
		case o.reached:
			o.watching.failed(err)
		default:
			o.listing.failed(err)
		}
		pause(ctx, backoff(ctx, failures, most))
	}
}

// pointless reports whether listing was never allowed, for a whole lease.
func (o *observer) pointless(err error) bool {
	if !errors.Is(err, lease.ErrForbidden) || o.listed {
		o.refused = time.Time{}
		return false
	}
	if o.refused.IsZero() {
		o.refused = time.Now()
		o.log.Error("cannot read the lease", "error", err)
	}
	return time.Since(o.refused) >= o.lock.Timing.LeaseDuration
}

// look lists, then watches until the watch ends.
func (o *observer) look(ctx context.Context) error {
	first, err := o.lock.List(ctx)
	if err != nil {
		return err
	}
	o.reached = true
	o.listed = true
	o.listing.over()
	o.deliver(ctx, first)
	if o.share != nil {
		o.renewBy(o.share.doubt)
		if refused := o.share.forward(ctx, func(seen lease.Observation) { o.deliver(ctx, seen) }); !refused {
			return nil
		}
	}
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.renewBy(cancel)
	err = o.lock.Watch(watchCtx, first, func(seen lease.Observation) { o.deliver(ctx, seen) })
	if watchCtx.Err() != nil {
		return nil
	}
	if errors.Is(err, lease.ErrForbidden) {
		if !o.pollsSaid {
			o.pollsSaid = true
			o.log.Warn("not allowed to watch the lease: polling it instead, handover will be slower", "verb", "watch", "every", o.lock.Timing.RetryPeriod, "error", err)
		}
		period := o.lock.Timing.RetryPeriod
		pause(ctx, period+chance.N(ctx, period/5))
		return nil
	}
	return err
}

func (o *observer) deliver(ctx context.Context, seen lease.Observation) {
	select {
	case o.seen <- seen:
	case <-ctx.Done():
	}
}

// Pauses between failed requests: short enough that a replica is back within
// half a second of the API server, doubled so that a dead one is not hammered.
const (
	retryLeast = 25 * time.Millisecond
	retryMost  = 400 * time.Millisecond
)

// backoff is the pause after that many failures in a row: doubling from
// retryLeast, at most most, half of it random.
func backoff(ctx context.Context, failures int, most time.Duration) time.Duration {
	d := min(most, retryLeast<<min(failures, 10))
	return d/2 + chance.N(ctx, d/2)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
