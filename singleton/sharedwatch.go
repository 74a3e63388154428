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

	// waiting is guarded by the stream; see put for what it keeps.
	waiting []lease.Observation
}

// put keeps an observation until it is taken, in place of the one before where
// that adds nothing: a subscriber that is slow holds up nobody, and keeps few
// records.
//
// A renewal makes the one right before it obsolete. A List that shows what the one
// before did is as good as both. Nothing else is dropped: a release proves something
// only to who was shown what it released, and across a List the store may have gone
// back in time, so that what was seen before is all that tells of the claims it
// forgot.
func (s *subscription) put(o lease.Observation) {
	if last := len(s.waiting) - 1; last >= 0 && obsolete(s.waiting[last], o) {
		s.waiting[last] = o
	} else {
		s.waiting = append(s.waiting, o)
	}
	s.poke()
}

// obsolete reports whether nothing is lost with a if b came after it.
func obsolete(a, b lease.Observation) bool {
	if a.Listed || b.Listed {
		return a.Listed && b.Listed && sameVersion(a, b)
	}
	return b.Record.Holder() != "" && a.Record.Holder() == b.Record.Holder() && a.Record.Term() == b.Record.Term() &&
		a.Record.UID() == b.Record.UID() && !a.Record.RenewTime().Equal(b.Record.RenewTime())
}

func sameVersion(a, b lease.Observation) bool {
	return a.Record.UID() == b.Record.UID() && a.Record.ResourceVersion() == b.Record.ResourceVersion()
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
