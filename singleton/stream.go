package singleton

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// stream is a SharedWatch at work: it lists and watches, again when the watch
// ends, and hands what it sees to its subscribers. It is an observer of many.
type stream struct {
	leases lease.Namespace
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu          sync.Mutex
	subscribers map[string][]*subscription // by Lease
	timeout     time.Duration              // of a request: the shortest that a subscriber would give it
	period      time.Duration              // the shortest RetryPeriod of one
	end         context.CancelFunc         // of the current watch, nil before the first
	heard       time.Time                  // when the watch last said anything, or began
	suspicion   *time.Timer                // a doubt is being looked into
	refused     bool                       // all Leases may not be watched
}

func newStream(leases lease.Namespace, log *slog.Logger) *stream {
	return &stream{leases: leases, log: log, subscribers: map[string][]*subscription{}}
}

// start is called once, with a subscriber there.
func (s *stream) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done.Go(func() { s.run(ctx) })
}

// stop ends the stream and waits for it.
func (s *stream) stop() {
	s.cancel()
	s.done.Wait()
}

func (s *stream) add(lock *lease.Lock) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if timing := lock.Timing; s.timeout == 0 {
		s.timeout, s.period = timing.RequestTimeout(), timing.RetryPeriod
	} else {
		s.timeout, s.period = min(s.timeout, timing.RequestTimeout()), min(s.period, timing.RetryPeriod)
	}
	one := &subscription{stream: s, name: lock.Name, wake: make(chan struct{}, 1)}
	s.subscribers[one.name] = append(s.subscribers[one.name], one)
	return one
}

// remove reports whether nobody is left.
func (s *stream) remove(one *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.subscribers[one.name], func(x *subscription) bool { return x == one })
	if s.subscribers[one.name] = left; len(left) == 0 {
		delete(s.subscribers, one.name)
	}
	return len(s.subscribers) == 0
}

func (s *stream) run(ctx context.Context) {
	p := pace{s: s, tell: teller{log: s.log}}
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := s.look(ctx, &p)
		pause(ctx, p.after(ctx, time.Since(began), reached, err))
	}
}

// look lists, then watches until the watch ends. reached says that the list was
// answered.
func (s *stream) look(ctx context.Context, p *pace) (reached bool, err error) {
	// Longer each time: all Leases of a namespace may take longer than one.
	timeout := s.requestTimeout() << min(p.failures, 2)
	all, err := s.leases.List(ctx, timeout)
	if err != nil {
		return false, err
	}
	p.tell.over(listingAll)
	s.deliverAll(all)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.begin(cancel)
	err = s.leases.Watch(watchCtx, all, timeout, s.deliver)
	if watchCtx.Err() != nil && !errors.Is(err, lease.ErrUnopened) {
		err = nil
	}
	return true, err
}

func (s *stream) requestTimeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// deliverAll tells every subscriber of its Lease, or that there is none,
// changed or not: that it was looked at is news too.
func (s *stream) deliverAll(all lease.Listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, subscribers := range s.subscribers {
		for _, one := range subscribers {
			one.put(all.Of(name))
		}
	}
}

func (s *stream) deliver(name string, o lease.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	s.refused = false
	for _, one := range s.subscribers[name] {
		one.put(o)
	}
}

func (s *stream) begin(end context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end, s.heard = end, time.Now()
}

// doubt looks into a subscriber's doubt, which may only have been faster than
// the event: the watch is ended if it is still silent, on every Lease, a quarter
// of a RetryPeriod later. Others' doubts meanwhile are answered by the same look,
// so that a dead watch is replaced once, and not by each subscriber.
func (s *stream) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.suspicion == nil && s.end != nil {
		since := time.Now()
		s.suspicion = time.AfterFunc(s.period/4, func() { s.judge(since) })
	}
}

func (s *stream) judge(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspicion = nil
	if !s.heard.After(since) {
		s.end()
	}
}

// refuse sends the subscribers away, each to a watch of its own. They come back
// when that ends, if by then this one sees something.
func (s *stream) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = true
	for _, subscribers := range s.subscribers {
		for _, one := range subscribers {
			one.poke()
		}
	}
}

// pace decides how long a stream pauses between its looks, and what it says.
type pace struct {
	s        *stream
	failures int  // looks in a row that came to nothing
	reached  bool // the last look's list was answered
	served   bool // a watch was allowed before

	refused     time.Time // since when it is forbidden; zero: it is not
	refusalSaid bool
	tell        teller
}

// Refusals are tried again as seldom as a watch is renewed.
const leastRefusal, mostRefusal = 5 * time.Minute, 10 * time.Minute

func (p *pace) after(ctx context.Context, took time.Duration, reached bool, err error) time.Duration {
	before := p.reached
	p.reached = reached
	if p.forbidden(err) {
		p.failures = 0
		return leastRefusal + chance.N(ctx, mostRefusal-leastRefusal)
	}
	most := retry.Most
	if reached || errors.Is(err, lease.ErrUnauthorized) { // only the watch fails, and a standby needs it less
		p.s.mu.Lock()
		most = max(most, p.s.period)
		if errors.Is(err, lease.ErrUnauthorized) { // each of its electors asks too
			most = 4 * p.s.period
		}
		p.s.mu.Unlock()
	}
	switch {
	case reached && took > retry.Most && !errors.Is(err, lease.ErrForbidden) && !errors.Is(err, lease.ErrUnopened):
		p.failures, p.served = 0, true
		p.tell.over(watchingAll)
		p.tell.over(unopened)
	case reached && !before:
		p.failures = 1 // the server is back: what failed before says nothing of the watch
	default:
		p.failures++
	}
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, lease.ErrConflict):
	case errors.Is(err, lease.ErrUnopened):
		p.tell.failed(unopened, err)
	case reached:
		p.tell.failed(watchingAll, err)
	default:
		p.tell.failed(listingAll, err)
	}
	return retry.Backoff(draw(ctx), p.failures, most)
}

// forbidden reports whether all Leases may not be listed or watched, and sends
// the subscribers away. Permissions flicker while API servers restart: what was
// allowed before has to be refused for a while.
func (p *pace) forbidden(err error) bool {
	if !errors.Is(err, lease.ErrForbidden) {
		p.refused = time.Time{}
		return false
	}
	if p.refused.IsZero() {
		p.refused = time.Now()
	}
	if p.served && time.Since(p.refused) < outageLeast {
		return false
	}
	p.s.refuse()
	if !p.refusalSaid {
		p.refusalSaid = true
		p.s.log.Warn("not allowed to list and watch all leases of the namespace: each elector watches its own instead", "error", err)
	}
	return true
}
