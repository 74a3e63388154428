package sim

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// unread is how many events a client may leave unread: then its connection is
// full and the server ends the watch.
const unread = 256

// watcher is one open watch, at both its ends.
type watcher struct {
	node   *process
	next   int64 // revision of the last change sent
	queue  []*event
	silent bool // an event was lost: a stream cannot skip, so nothing follows
	last   *watch.Event

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
	from, err := parseRevision(m.version)
	if err != nil {
		return answer{err: apierrors.NewBadRequest(err.Error())}
	}
	x := &watcher{node: m.from, next: from, events: make(chan watch.Event, unread)}
	w.watchers = append(w.watchers, x)
	if m.timeout > 0 {
		w.in(m.timeout, -1, "", func() { w.enqueue(x, 0, func() { x.close() }) })
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
		x.next = w.store.revision() // told once
		w.enqueue(x, w.latency(), func() { x.end(err) })
		return
	}
	x.next = max(x.next, w.store.revision())
	for _, c := range changes {
		e := c.event()
		w.enqueue(x, w.latency()+w.delay(n, SlowEvents), func() { w.deliver(x, e) })
		if w.strikes(n, Duplicate) {
			w.enqueue(x, w.latency(), func() { w.deliver(x, e) })
		}
		if old := x.last; old != nil && w.strikes(n, Stale) {
			w.enqueue(x, w.latency(), func() { w.deliver(x, *old) })
		}
		if x.last == nil || w.rng.IntN(3) == 0 {
			x.last = &e
		}
		if last := len(x.queue) - 1; last > 0 && w.strikes(n, Reorder) {
			a, b := x.queue[last-1], x.queue[last]
			a.do, b.do = b.do, a.do
		}
	}
}

// enqueue sends something down a watch, after what was sent before it.
func (w *world) enqueue(x *watcher, d time.Duration, do func()) {
	at := time.Now().Add(d)
	if last := len(x.queue) - 1; last >= 0 && at.Before(x.queue[last].at) {
		at = x.queue[last].at
	}
	x.queue = append(x.queue, &event{at, x.node.node.index, "", do})
}

func (w *world) deliver(x *watcher, e watch.Event) {
	n := x.node.node.index
	x.silent = x.silent || w.afflicted(n, BlackHole)
	if x.silent || x.closed || x.stop.Load() || x.node.dead {
		return
	}
	if l, ok := e.Object.(*coordv1.Lease); ok {
		w.check.tell(n, "watch "+string(e.Type)+" "+l.ResourceVersion)
		e.Object = x.node.inward(l)
	}
	if len(x.events) == cap(x.events) {
		x.close()
		return
	}
	x.events <- e
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

// endWatches ends a node's watches, or everybody's: with an error, or cleanly.
func (w *world) endWatches(node int, err error) {
	for _, x := range w.watchers {
		if node >= 0 && x.node.node.index != node {
			continue
		}
		if err == nil || err == syscall.ECONNRESET { //nolint:errorlint // made here
			w.enqueue(x, 0, func() {
				if !x.silent {
					x.close()
				}
			})
			continue
		}
		w.enqueue(x, 0, func() { x.end(err) })
	}
}

func expired(revision int64) error {
	return apierrors.NewResourceExpired("too old resource version: " + strconv.FormatInt(revision, 10))
}
