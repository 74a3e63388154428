package singleton

import (
	"context"
	"log/slog"
	"sync"

	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/lease"
)

// SharedWatch observes all Leases of a namespace by one list and one watch, for
// a process that is a candidate for many of them: give the same one to each of
// its electors ([Config].SharedWatch). Without it each elector watches its own
// Lease, which is what a process with a few wants.
//
// There is nothing to start or to stop: it asks while at least one elector that
// uses it runs, and the last one to stop waits for it. It needs the verbs list
// and watch on the namespace's Leases without resourceNames, beside what
// each elector needs. Where they are refused, that is logged once, electors watch
// their own Leases instead, and it is tried again every 5 to 10 minutes.
//
// It is safe for concurrent use.
type SharedWatch struct {
	client    kubernetes.Interface
	namespace string
	log       *slog.Logger

	turns  chan struct{} // has one element for each elector that lists its Lease
	mu     sync.Mutex
	stream *stream // while somebody subscribes
}

// NewSharedWatch returns a SharedWatch of that namespace, which must be the one
// of every elector it is given to ([New] refuses others). client may be theirs;
// what [New] asks of one holds here too. It logs to logger; nil means
// slog.Default().
func NewSharedWatch(client kubernetes.Interface, namespace string, logger *slog.Logger) *SharedWatch {
	if logger == nil {
		logger = slog.Default()
	}
	return &SharedWatch{
		client: client, namespace: namespace, log: logger.With("namespace", namespace),
		turns: make(chan struct{}, listers),
	}
}

// listers is how many electors list their Leases at once when they start, so that
// a thousand of them ask neither the server nor the memory for all of it at once.
const listers = 32

// turn waits for the caller's turn to list, or for ctx's end; done ends the turn.
func (w *SharedWatch) turn(ctx context.Context) (done func()) {
	select {
	case w.turns <- struct{}{}:
		return func() { <-w.turns }
	case <-ctx.Done():
		return func() {}
	}
}

// subscribe begins to keep what is seen of lock's Lease, and the stream if there
// is none. It draws chances as ctx does, but does not end with it.
func (w *SharedWatch) subscribe(ctx context.Context, lock *lease.Lock) *subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream == nil {
		w.stream = newStream(lease.NewNamespace(w.client.CoordinationV1().Leases(w.namespace), lock.Clock), w.log)
		defer w.stream.start(context.WithoutCancel(ctx)) // it has lock's timing then
	}
	return w.stream.add(lock)
}

// unsubscribe undoes subscribe. It waits for the stream's end if nobody is left.
func (w *SharedWatch) unsubscribe(s *subscription) {
	if w.drop(s) {
		s.stream.stop()
	}
}

// drop reports whether s was the last.
func (w *SharedWatch) drop(s *subscription) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := s.stream.remove(s)
	if last {
		w.stream = nil // whoever comes now begins another
	}
	return last
}

// subscription is what one elector has of a stream.
type subscription struct {
	stream *stream
	name   string
	wake   chan struct{} // has one element when there may be something waiting

	// waiting is guarded by the stream. It has a List's observation, or an
	// event's, or an event's after a List's: see put.
	waiting []lease.Observation
}

// put keeps an observation until it is taken, and drops what it makes obsolete: a
// subscriber that is slow holds up nobody, and costs no more than two records.
//
// Dropping is safe because a View takes every newer observation for the end of a
// gap: what happened between two Lists is hidden from it in the same way, and it
// is judged by the same rules (lease.View). Only a List is kept from the event
// after it: it alone is taken although its version is lower than one seen
// before, as it is when the store went back in time.
func (s *subscription) put(o lease.Observation) {
	switch last := len(s.waiting) - 1; {
	case o.Listed:
		s.waiting = append(s.waiting[:0], o)
	case last >= 0 && !s.waiting[last].Listed:
		s.waiting[last] = o
	default:
		s.waiting = append(s.waiting, o)
	}
	s.poke()
}

// poke has the subscriber look.
func (s *subscription) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what is waiting, in order.
func (s *subscription) take() []lease.Observation {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	waiting := s.waiting
	s.waiting = nil
	return waiting
}

// refused reports whether the stream is not allowed to see anything.
func (s *subscription) refused() bool {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	return s.stream.refused
}

// doubt says that the watch has not told what it should have.
func (s *subscription) doubt() { s.stream.doubt() }
