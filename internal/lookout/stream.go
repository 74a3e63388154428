package lookout

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// stream is a Shared at work. It lists and watches, does so again when the watch ends, and hands
// what it sees to its subscribers.
type stream struct {
	leases protocol.Namespace
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu          sync.Mutex
	subscribers map[string][]*Source // by Lease
	timeout     time.Duration        // of a request: the shortest that a subscriber would give it
	period      time.Duration        // the shortest RetryPeriod of one
	refused     bool                 // all Leases may not be watched
	current     current
}

// current watch of a stream.
type current struct {
	end       context.CancelFunc // nil before the first
	heard     time.Time          // when it last said anything, or began
	suspicion *time.Timer        // a doubt is being looked into
}

func newStream(leases protocol.Namespace, log *slog.Logger) *stream {
	return &stream{leases: leases, log: log, subscribers: map[string][]*Source{}}
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

func (s *stream) add(one *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if timing := one.lock.Timing; s.timeout == 0 {
		s.timeout, s.period = timing.RequestTimeout(), timing.RetryPeriod
	} else {
		s.timeout, s.period = min(s.timeout, timing.RequestTimeout()), min(s.period, timing.RetryPeriod)
	}
	s.subscribers[one.lock.Name] = append(s.subscribers[one.lock.Name], one)
}

// remove reports whether no subscriber is left.
func (s *stream) remove(one *Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := one.lock.Name
	left := slices.DeleteFunc(s.subscribers[name], func(x *Source) bool { return x == one })
	if s.subscribers[name] = left; len(left) == 0 {
		delete(s.subscribers, name)
	}
	return len(s.subscribers) == 0
}

func (s *stream) run(ctx context.Context) {
	p := pacer{list: outage.ListingAll, watch: outage.WatchingAll, tell: outage.Teller{Log: s.log}}
	var forbidden forbiddance
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := s.look(ctx, &p)
		if forbidden.lasts(err, p.served) {
			p.failures, p.reached = 0, reached
			s.refuse()
			forbidden.tell(s.log, err)
			retry.Pause(ctx, leastRefusal+chance.N(ctx, mostRefusal-leastRefusal))
			continue
		}
		_, period := s.timing()
		retry.Pause(ctx, p.looked(ctx, look{
			took: time.Since(began), reached: reached, err: err, period: period, denied: 4 * period, // each of its electors asks too
		}))
	}
}

// look lists, then watches until the watch ends. reached says that the list was
// answered.
func (s *stream) look(ctx context.Context, p *pacer) (reached bool, err error) {
	timeout, _ := s.timing()
	timeout <<= min(p.failures, 2) // all Leases of a namespace may take longer than one
	all, err := s.leases.List(ctx, timeout)
	if err != nil {
		return false, err
	}
	p.tell.Over(outage.ListingAll)
	s.deliverAll(all)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.begin(cancel)
	began := time.Now()
	err = s.leases.Watch(watchCtx, all, timeout, func(name string, o protocol.Observation) {
		s.deliver(name, o)
		p.saw(time.Since(began))
	})
	if watchCtx.Err() != nil && !errors.Is(err, protocol.ErrUnopened) {
		err = nil
	}
	return true, err
}

// timing is how long a request may take, and the shortest RetryPeriod.
func (s *stream) timing() (timeout, period time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout, s.period
}

// deliverAll shows every subscriber its Lease, or that there is none. It does so even if nothing
// changed, because it is news that somebody looked.
func (s *stream) deliverAll(all protocol.Listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, subscribers := range s.subscribers {
		for _, one := range subscribers {
			one.put(all.Of(name))
		}
	}
}

func (s *stream) deliver(name string, o protocol.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.heard = time.Now()
	s.refused = false
	for _, one := range s.subscribers[name] {
		one.put(o)
	}
}

func (s *stream) begin(end context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.end, s.current.heard = end, time.Now()
}

// doubt handles a subscriber's doubt about the watch. The event may just be slower than the doubt.
// So the watch is ended only if it is still silent, on every Lease, a quarter of a RetryPeriod
// later. Doubts of other subscribers meanwhile are answered by the same look, so that a dead watch
// is replaced once, and not by each subscriber.
func (s *stream) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.suspicion == nil && s.current.end != nil {
		since := time.Now()
		s.current.suspicion = time.AfterFunc(s.period/4, func() { s.judge(since) })
	}
}

func (s *stream) judge(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.suspicion = nil
	if !s.current.heard.After(since) {
		s.current.end()
	}
}

// refuse sends each subscriber away to a watch of its own. They come back when that watch ends, if
// the stream sees something by then.
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

// isRefused reports whether the stream is not allowed to see anything.
func (s *stream) isRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// What was refused is tried again as rarely as a watch is renewed.
const leastRefusal, mostRefusal = 5 * time.Minute, 10 * time.Minute

// forbiddance is that all Leases may not be listed or watched.
type forbiddance struct {
	since time.Time // zero: they may
	told  bool
}

// lasts reports whether err is a lasting refusal. Permissions flicker while API servers restart. So
// what was allowed before has to be refused for a while.
func (f *forbiddance) lasts(err error, served bool) bool {
	if !errors.Is(err, lease.ErrForbidden) {
		f.since = time.Time{}
		return false
	}
	if f.since.IsZero() {
		f.since = time.Now()
	}
	return !served || time.Since(f.since) >= outage.Least
}

func (f *forbiddance) tell(log *slog.Logger, err error) {
	if !f.told {
		f.told = true
		log.Warn("not allowed to list and watch all Leases of the namespace:"+
			" each elector watches its own instead", "error", err)
	}
}
