package sim

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// unread is how many events a client may leave unread: then its connection is
// full and the server ends the watch.
const unread = 256

// watcher is one open watch, at both its ends.
type watcher struct {
	node   *process
	next   int64 // revision of the last change sent
	queue  []*event
	silent bool    // an event was lost: a stream cannot skip, so nothing follows
	last   *change // comes again as a stale event
	newest int64   // revision delivered

	heard  bool             // the client has the answer that opens it
	unseen []*coordv1.Lease // what was delivered before that

	events chan watch.Event
	closed bool        // the driver's
	stop   atomic.Bool // the client's
	once   sync.Once
}

// ResultChan is part of [watch.Interface].
func (x *watcher) ResultChan() <-chan watch.Event { return x.events }

// Stop is part of [watch.Interface].
func (x *watcher) Stop() { x.once.Do(func() { x.stop.Store(true) }) }

func (w *world) openWatch(m *message) answer {
	from, err := apistore.ParseVersion(m.version)
	if err != nil {
		return answer{err: apierrors.NewBadRequest(err.Error())}
	}
	x := &watcher{node: m.from, next: from, events: make(chan watch.Event, unread)}
	w.watchers = append(w.watchers, x)
	if m.timeout > 0 {
		w.in(m.timeout, -1, "", func() { w.enqueue(x, 0, func() { x.close() }) })
	}
	if w.lost(-1, Compact) {
		w.enqueue(x, w.latency(), func() { x.end(expired(from)) })
		return answer{watch: x}
	}
	w.feed(x)
	return answer{watch: x}
}

// watch gives every watcher what it has not been sent yet.
func (w *world) watch() {
	w.watchers = slices.DeleteFunc(w.watchers, func(x *watcher) bool { return x.closed || x.stop.Load() || x.node.dead })
	for _, x := range w.watchers {
		w.feed(x)
	}
}

func (w *world) feed(x *watcher) {
	n := x.node.node.index
	if w.afflicted(n, SlowEvents) && len(x.queue) > 0 {
		return // one late event holds up the others
	}
	changes, err := w.store.since(x.next)
	if err != nil {
		x.next = w.store.head() // told once
		w.enqueue(x, w.latency(), func() { x.end(err) })
		return
	}
	x.next = max(x.next, w.store.head())
	for _, c := range changes {
		e := c.event()
		if w.rng.Int64N(100) < w.share(n, Reorder) {
			// Later ones overtake it.
			w.in(w.latency()+upTo(w.rng, overtaken), n, "", func() { w.deliver(x, e, c.revision, Reorder) })
			continue
		}
		late := w.delay(n, SlowEvents)
		w.enqueue(x, w.latency()+late, func() {
			if late > 0 {
				w.hit(SlowEvents)
			}
			w.deliver(x, e, c.revision, "")
		})
		if w.rng.Int64N(100) < w.share(n, Duplicate) {
			w.enqueue(x, w.latency(), func() { w.deliver(x, e, c.revision, Duplicate) })
		}
		if old := x.last; old != nil && w.rng.Int64N(100) < w.share(n, Stale) {
			w.enqueue(x, w.latency(), func() { w.deliver(x, old.event(), old.revision, Stale) })
		}
		if x.last == nil || w.rng.IntN(3) == 0 {
			x.last = &c
		}
	}
}

// overtaken is how late an event may be that others overtake.
const overtaken = 5 * time.Second

// enqueue sends something down a watch, after what was sent before it.
func (w *world) enqueue(x *watcher, d time.Duration, do func()) {
	at := time.Now().Add(d)
	if last := len(x.queue) - 1; last >= 0 && at.Before(x.queue[last].at) {
		at = x.queue[last].at
	}
	x.queue = append(x.queue, &event{at, x.node.node.index, "", do})
}

// deliver hands the client an event; why tells what made it come out of order.
func (w *world) deliver(x *watcher, e watch.Event, revision int64, why Kind) {
	n := x.node.node.index
	if x.closed || x.stop.Load() || x.node.dead {
		return
	}
	x.silent = x.silent || w.lost(n, BlackHole)
	if x.silent {
		return
	}
	if revision < x.newest && why != "" || revision == x.newest && why == Duplicate {
		w.hit(why)
	}
	x.newest = max(x.newest, revision)
	if l, ok := e.Object.(*coordv1.Lease); ok {
		w.check.tell(n, "watch "+string(e.Type)+" "+l.ResourceVersion)
		if x.unseen = append(x.unseen, l); x.heard {
			w.read(x)
		}
		e.Object = x.node.inward(l)
	}
	if len(x.events) == cap(x.events) {
		x.close()
		return
	}
	x.events <- e
}

// read takes in that the client sees what was delivered.
func (w *world) read(x *watcher) {
	x.heard = true
	for _, l := range x.unseen {
		w.check.watched(x.node, l)
	}
	x.unseen = nil
}

// end tells the client an error and ends the watch.
func (x *watcher) end(err error) {
	if x.closed || x.silent || x.node.dead {
		return
	}
	if status, ok := err.(apierrors.APIStatus); ok && len(x.events) < cap(x.events) {
		s := status.Status()
		x.events <- watch.Event{Type: watch.Error, Object: &s}
	}
	x.close()
}

func (x *watcher) close() {
	if !x.closed {
		x.closed = true
		close(x.events)
	}
}

// hears reports whether the client would notice that its watch ends.
func (x *watcher) hears() bool { return !x.closed && !x.silent && !x.stop.Load() && !x.node.dead }

// endWatches ends a node's watches, or everybody's: with an error that the API
// server tells, or without a word.
func (w *world) endWatches(node int, err error, why Kind) {
	for _, x := range w.watchers {
		if node >= 0 && x.node.node.index != node {
			continue
		}
		w.enqueue(x, 0, func() {
			if x.hears() {
				w.hit(why)
				x.end(err)
			}
		})
	}
}

func expired(revision int64) error {
	return apierrors.NewResourceExpired("too old resource version: " + strconv.FormatInt(revision, 10))
}
