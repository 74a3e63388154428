package lookout

import (
	"sync"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// queue keeps what was seen until the elector takes it.
type queue struct {
	wake    chan struct{} // has one element when there may be something waiting
	mu      sync.Mutex
	waiting []protocol.Observation
}

func newQueue() queue { return queue{wake: make(chan struct{}, 1)} }

// News has something when there may be something to take.
func (q *queue) News() <-chan struct{} { return q.wake }

// put keeps an observation until it is taken. The observation replaces the one before if that one
// adds nothing. So a slow elector holds up nobody, and keeps few records.
//
// A renewal makes the renewal right before it obsolete. A List that shows the same as the List
// before makes that one obsolete. Nothing else is dropped. A release proves something only to a
// candidate that was shown what was released. And across a List the store may have gone back in
// time: then earlier observations are the only trace of the claims that the store forgot.
func (q *queue) put(o protocol.Observation) {
	q.mu.Lock()
	if last := len(q.waiting) - 1; last >= 0 && obsolete(q.waiting[last], o) {
		q.waiting[last] = o
	} else {
		q.waiting = append(q.waiting, o)
	}
	q.mu.Unlock()
	q.poke()
}

// obsolete reports whether nothing is lost with a if b came after it.
func obsolete(a, b protocol.Observation) bool {
	if a.Listed || b.Listed {
		return a.Listed && b.Listed && sameVersion(a, b)
	}
	_, ours := b.Record.Token() // of another elector's term it counts for how long it was seen
	return ours && a.Record.Holder() == b.Record.Holder() && a.Record.Term() == b.Record.Term() &&
		a.Record.UID() == b.Record.UID() && !a.Record.RenewTime().Equal(b.Record.RenewTime())
}

func sameVersion(a, b protocol.Observation) bool {
	return a.Record.UID() == b.Record.UID() && a.Record.ResourceVersion() == b.Record.ResourceVersion()
}

// poke makes the elector look.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns what is waiting, in order.
func (q *queue) take() []protocol.Observation {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting
	q.waiting = nil
	return waiting
}
