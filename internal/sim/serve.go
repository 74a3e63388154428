package sim

import (
	"fmt"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// travel sends m on its way to the server, through what is wrong with the link.
func (w *world) travel(m *message) {
	n := m.from.node.index
	switch {
	case m.verb == verbDecided:
		w.decided(m)
	case m.from.dead:
	case m.verb == verbGo:
		w.in(0, n, "", func() { m.answers <- answer{} })
	case m.verb == verbWrite || m.verb == verbAnnounce:
		w.callGuard(m)
	case w.lost(n, BlackHole):
	case w.cut(n), w.lost(-1, Restart), w.strikes(n, LoseRequest):
		w.in(w.latency(), n, m.verb+" refused by the network", func() { m.fail(syscall.ECONNRESET) })
	default:
		// The node's own side first: a frozen one does not send.
		w.in(0, n, "", func() {
			late := w.delay(n, DelayRequest)
			w.in(w.latency()+late, -1, "", func() {
				if late > 0 {
					w.hit(DelayRequest)
				}
				w.arrive(m)
			})
		})
	}
}

// arrive has the API server take its time for m.
func (w *world) arrive(m *message) {
	if d := w.slowness(m); d > 0 {
		w.in(d, -1, "", func() { w.serve(m) })
		return
	}
	if f := w.affliction(-1, SlowAdmission); f != nil && m.writes() {
		w.review(m, f.most(), mostReviews)
		return
	}
	w.serve(m)
}

// mostReviews is how often a real API server begins a patch anew.
const mostReviews = 5

// review has the server look, take that long to admit m, and then write it if nothing was
// written meanwhile; else it begins anew. It goes no further once the client has gone, as
// kube-apiserver ends with its request's context.
func (w *world) review(m *message, took time.Duration, left int) {
	w.hit(SlowAdmission)
	seen := w.store.revision()
	w.in(took, -1, "", func() {
		switch {
		case m.gone.Load():
		case m.verb != "patch" || w.store.revision() == seen:
			w.serve(m)
		case left == 1:
			w.reply(m, answer{err: conflict(leaseName, "the object was modified again and again")}, m.verb+" -> Conflict heard")
		default:
			w.review(m, took, left-1)
		}
	})
}

// serve has the API server answer m.
func (w *world) serve(m *message) {
	n := m.from.node.index
	if w.lost(-1, Restart) {
		return // it went down with the server
	}
	if m.writes() {
		w.lost(n, StoppedClock) // it writes, with whatever time that shows
	}
	if a, ok := w.instead(m); ok {
		w.reply(m, a, fmt.Sprintf("%s -> %s", m.verb, a.why))
		return
	}
	a := w.obey(m)
	what := m.verb + " -> ok"
	if a.err != nil {
		what = fmt.Sprintf("%s -> %s", m.verb, apierrors.ReasonForError(a.err))
	}
	w.check.tell(n, what)
	w.reply(m, a, what+" heard")
}

// obey does what m asks for.
func (w *world) obey(m *message) (a answer) {
	w.check.serving = m
	defer func() { w.check.serving = nil }()
	switch m.verb {
	case "list":
		if m.exact {
			a.object, a.err = w.store.at(m.version)
		} else {
			if w.store.hides() {
				w.hit(StaleCache)
			}
			a.object, a.err = w.store.list()
		}
	case "get":
		a.object, a.err = w.store.get()
	case "create":
		a.object, a.err = w.store.create(m.lease)
	case "update":
		a.object, a.err = w.store.update(m.lease)
	case "patch":
		a.object, a.err = w.store.patch(m.patch)
	case "watch":
		a = w.openWatch(m)
	}
	return a
}

// reply sends an answer back, through what is wrong with the link.
func (w *world) reply(m *message, a answer, what string) {
	n := m.from.node.index
	switch {
	case w.lost(n, BlackHole), w.strikes(n, HangAnswer):
		return
	case w.cut(n), w.strikes(n, LoseAnswer):
		w.in(w.latency(), n, m.verb+" answer lost", func() { m.fail(syscall.ECONNRESET) })
		return
	}
	late := w.delay(n, DelayAnswer)
	w.in(w.latency()+late, n, what, func() {
		if late > 0 {
			w.hit(DelayAnswer)
		}
		switch {
		case m.from.dead || m.gone.Load() || w.lost(n, BlackHole):
		case w.cut(n):
			m.fail(syscall.ECONNRESET)
		default:
			if a.err == nil && a.why == "" {
				w.check.answered(m, a)
			}
			if x, ok := a.watch.(*watcher); ok {
				w.read(x)
			}
			m.answers <- a
		}
	})
}

func (m *message) fail(err error) {
	if !m.from.dead && !m.gone.Load() {
		m.answers <- answer{err: fmt.Errorf("%s: %w", m.verb, err)}
	}
}
