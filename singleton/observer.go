package singleton

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// observer keeps one watch on the Lease, or a share in one, and delivers what it
// sees. When the watch ends it lists and watches again; where watching is
// forbidden it polls.
type observer struct {
	lock   *lease.Lock
	shared *SharedWatch  // nil: there is none
	share  *subscription // in it, while running
	alone  atomic.Bool   // with a share: a goroutine observes nevertheless
	log    *slog.Logger
	seen   chan lease.Observation
	news   <-chan struct{} // take has something; nil without a share
	begin  func()          // starts the goroutine again
	bad    chan error      // buffered; a permission that was never there

	listed  bool      // a list was allowed before
	reached bool      // by the current look
	refused time.Time // since when listing is forbidden
	tell    teller

	unversioned int                    // lists in a row that showed no versions
	current     atomic.Pointer[func()] // renews the watch
}

func newObserver(e *Elector) *observer {
	log := e.config.Logger
	return &observer{
		lock: e.lock, shared: e.config.SharedWatch, log: log, seen: make(chan lease.Observation), bad: make(chan error, 1),
		tell: teller{log: log},
	}
}

// renew has the current watch replaced: a list showed that it is not delivering.
func (o *observer) renew() {
	if current := o.current.Load(); current != nil {
		(*current)()
	}
}

func (o *observer) renewBy(f func()) { o.current.Store(&f) }

// start observes until ctx ends, on a goroutine of helpers. With a share in a
// watch that goroutine ends once it has listed: the loop reads the share itself.
// finish, to be called after the goroutine's end, gives the share up.
func (o *observer) start(ctx context.Context, helpers *sync.WaitGroup) (finish func()) {
	if o.shared == nil {
		helpers.Go(func() { o.run(ctx) })
		return func() {}
	}
	o.share = o.shared.subscribe(ctx, o.lock) // before the list: what is written after it is not missed
	o.news = o.share.wake
	o.begin = func() {
		if ctx.Err() != nil {
			return // there is nothing to observe any more
		}
		helpers.Go(func() {
			o.run(ctx)
			o.alone.Store(false)
			o.share.poke() // it may have been refused just now
		})
	}
	o.alone.Store(true)
	o.begin()
	return func() { o.shared.unsubscribe(o.share) }
}

// take returns what the share has seen, when news says so. Where the watch that is
// shared is refused, it has the observer watch alone.
func (o *observer) take() []lease.Observation {
	if o.share.refused() && o.alone.CompareAndSwap(false, true) {
		o.begin()
	}
	return o.share.take()
}

// errShared ends the goroutine of an observer that has a share.
var errShared = errors.New("the shared watch goes on from here")

// run observes until ctx ends, or a shared watch does it.
func (o *observer) run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		began, reached := time.Now(), o.reached
		o.reached = false
		err := o.look(ctx)
		if errors.Is(err, errShared) {
			return
		}
		if o.pointless(err) {
			o.bad <- err
			return
		}
		if time.Since(began) > retry.Most && (err == nil || o.reached) && !errors.Is(err, lease.ErrUnopened) {
			failures = 0 // it served for a while
			o.tell.over(watching)
			o.tell.over(unopened)
		} else if o.reached && !reached {
			failures = 1 // the server is back: what failed before says nothing of the watch
		} else {
			failures++
		}
		most := retry.Most
		if o.reached || errors.Is(err, lease.ErrUnauthorized) { // only the watch fails, and a standby needs it less; or a hand has to mend it
			most = max(most, o.lock.Timing.RetryPeriod)
		}
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, lease.ErrConflict):
		case errors.Is(err, lease.ErrUnopened):
			o.tell.failed(unopened, err)
		case o.reached:
			o.tell.failed(watching, err)
		default:
			o.tell.failed(listing, err)
		}
		pause(ctx, retry.Backoff(draw(ctx), failures, most))
	}
}

// pointless reports whether listing was never allowed, for a whole lease duration,
// or shows no versions.
func (o *observer) pointless(err error) bool {
	if !errors.Is(err, lease.ErrUnversioned) || o.listed {
		o.unversioned = 0
	} else if o.unversioned++; o.unversioned >= 3 { // and not a proxy's slip
		return true
	}
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
	first, err := o.list(ctx)
	if err != nil {
		return err
	}
	o.reached = true
	o.listed = true
	o.tell.over(listing)
	o.deliver(ctx, first)
	if o.share != nil && !o.share.refused() {
		o.renewBy(o.share.doubt)
		return errShared
	}
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.renewBy(cancel)
	err = o.lock.Watch(watchCtx, first, func(seen lease.Observation) { o.deliver(ctx, seen) })
	if watchCtx.Err() != nil && !errors.Is(err, lease.ErrUnopened) {
		return nil
	}
	if errors.Is(err, lease.ErrForbidden) {
		o.tell.once(polling, err, "every", o.lock.Timing.RetryPeriod)
		period := o.lock.Timing.RetryPeriod
		pause(ctx, period+chance.N(ctx, period/5))
		return nil
	}
	return err
}

// list looks at the Lease, in its turn where many do.
func (o *observer) list(ctx context.Context) (lease.Observation, error) {
	if o.shared != nil {
		defer o.shared.turn(ctx)()
	}
	return o.lock.List(ctx)
}

func (o *observer) deliver(ctx context.Context, seen lease.Observation) {
	select {
	case o.seen <- seen:
	case <-ctx.Done():
	}
}

// draw makes the random part of pauses.
func draw(ctx context.Context) chance.Draw {
	return func(d time.Duration) time.Duration { return chance.N(ctx, d) }
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
