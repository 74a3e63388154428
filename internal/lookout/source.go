// Package lookout is where an elector's observations come from: a watch of its own, or a share in
// one. Both list and watch, and do so again when the watch ends. If watching is forbidden, they
// poll.
package lookout

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// Source shows one elector what was seen of its Lease.
type Source struct {
	queue
	lock    *protocol.Lock
	shared  *Shared // nil: it has a watch of its own
	stream  *stream // what it has a share in
	bad     chan error
	rewatch atomic.Pointer[func()] // replaces the watch
	alone   atomic.Bool            // with a share: a goroutine observes nevertheless
	begin   func()                 // starts the goroutine again
	pace    pacer
	access  access
}

// access is whether the Lease may be read, as far as lists have shown.
type access struct {
	listed      bool // it was allowed before
	refused     retry.Refusals
	unversioned int         // lists in a row that showed no versions
	polls       atomic.Bool // watching is forbidden
}

// New returns the source of lock's Lease, which has a share in shared unless that is nil.
func New(lock *protocol.Lock, shared *Shared, log *slog.Logger) *Source {
	return &Source{
		queue: newQueue(), lock: lock, shared: shared, bad: make(chan error, 1),
		pace: pacer{list: outage.Listing, watch: outage.Watching, tell: outage.Teller{Log: log}},
	}
}

// Hopeless gets the error of a Lease that may not be read, and never could.
func (s *Source) Hopeless() <-chan error { return s.bad }

// Rewatch replaces the watch, because a look showed that it does not deliver.
func (s *Source) Rewatch() {
	if rewatch := s.rewatch.Load(); rewatch != nil {
		(*rewatch)()
	}
}

// Polls reports whether the Lease may not be watched, as far as the last attempt showed. It may be
// called from any goroutine.
func (s *Source) Polls() bool { return s.access.polls.Load() }

func (s *Source) rewatchBy(f func()) { s.rewatch.Store(&f) }

// Start observes until ctx ends, on a goroutine of helpers. With a share in a watch, that goroutine
// ends after its first List. Call finish after it has ended, to give up the share.
func (s *Source) Start(ctx context.Context, helpers *sync.WaitGroup) (finish func()) {
	if s.shared == nil {
		helpers.Go(func() { s.run(ctx) })
		return func() {}
	}
	finish = s.shared.subscribe(ctx, s) // before the list: what is written after it is not missed
	s.begin = func() {
		if ctx.Err() != nil || !s.alone.CompareAndSwap(false, true) {
			return // there is nothing to observe any more, or somebody does
		}
		helpers.Go(func() {
			s.run(ctx)
			s.alone.Store(false)
			s.poke() // the share may have been refused just now
		})
	}
	s.begin()
	return finish
}

// Take returns what was seen since the last time, in order, when [Source.News] says so.
func (s *Source) Take() []protocol.Observation {
	if s.stream != nil && s.stream.isRefused() { // then it watches alone
		s.begin()
	}
	return s.take()
}

// errShared ends the goroutine of a source that has a share.
var errShared = errors.New("the shared watch goes on from here")

// run observes until ctx ends, or a shared watch does it.
func (s *Source) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := s.look(ctx)
		if errors.Is(err, errShared) {
			return
		}
		if s.hopeless(err) {
			s.bad <- err
			return
		}
		period := s.lock.Timing.RetryPeriod
		retry.Pause(ctx, s.pace.looked(ctx, look{took: time.Since(began), reached: reached, err: err, period: period, denied: period}))
	}
}

// hopeless reports whether listing was never allowed, for a whole lease duration, or shows no
// versions.
func (s *Source) hopeless(err error) bool {
	a := &s.access
	if !errors.Is(err, lease.ErrUnversioned) || a.listed {
		a.unversioned = 0
	} else if a.unversioned++; a.unversioned >= 3 { // and not a proxy's slip
		return true
	}
	if !errors.Is(err, lease.ErrForbidden) || a.listed {
		a.refused = retry.Refusals{}
		return false
	}
	patience := s.lock.Timing.LeaseDuration
	var first bool
	if a.refused, first = a.refused.Refused(s.lock.Clock.Now(), patience); first {
		s.pace.tell.Refused(outage.Listing, err)
	}
	return a.refused.Last(patience)
}

// look lists, then watches until the watch ends. reached says that the list was answered.
func (s *Source) look(ctx context.Context) (reached bool, err error) {
	first, err := s.list(ctx)
	if err != nil {
		return false, err
	}
	s.access.listed = true
	s.pace.tell.Over(outage.Listing)
	s.put(first)
	if s.stream != nil && !s.stream.isRefused() {
		s.rewatchBy(s.stream.doubt)
		return true, errShared
	}
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.rewatchBy(cancel)
	began := time.Now()
	err = s.lock.Watch(watchCtx, first, func(o protocol.Observation) {
		s.access.polls.Store(false)
		s.put(o)
		s.pace.saw(time.Since(began))
	})
	if watchCtx.Err() != nil && !errors.Is(err, protocol.ErrUnopened) {
		return true, nil
	}
	if errors.Is(err, lease.ErrForbidden) {
		s.access.polls.Store(true)
		period := s.lock.Timing.RetryPeriod
		s.pace.tell.Once(outage.Polling, err, "every", period)
		retry.Pause(ctx, period+chance.N(ctx, period/5))
		return true, nil
	}
	return true, err
}

// list looks at the Lease. If many sources do, it waits for its turn.
func (s *Source) list(ctx context.Context) (protocol.Observation, error) {
	if s.shared != nil {
		defer s.shared.turn(ctx)()
	}
	return s.lock.List(ctx)
}
