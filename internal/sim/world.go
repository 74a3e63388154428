package sim

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// Where the Lease is.
const (
	namespace = "shop"
	leaseName = "invoicer"
)

// world is the network, the API server, the guarded resource and the clock of
// one run: everything but the processes. One goroutine, the driver, owns it. It
// waits until every process is blocked, takes in what they sent, lets the seed
// pick one of the things that are due, does it, and waits again: so what happens
// at one instant happens in an order that the seed decides.
type world struct {
	plan  Plan
	began time.Time
	rng   *rand.Rand
	check *checker
	nodes []*node

	api
	guarded
	calendar
	mailbox
}

// api is the API server, with what is connected to it and what is kept of it.
type api struct {
	store    *cached
	watchers []*watcher
	backups  []dated
	farthest int64 // revision before a restore
	bodies   bodies
}

// guarded is the resource behind its guard.
type guarded struct {
	guard resource
	calls sync.WaitGroup // of it
}

// calendar has what is due, and the faults of now.
type calendar struct {
	active  []Fault
	pending []*event
	parked  []*event
	opened  time.Time // when the first process was there
	steps   int
	struck  map[Kind]int // how often a fault had its effect
	closing bool         // all processes have been asked to stop
}

// mailbox is where processes reach the driver.
type mailbox struct {
	wg   sync.WaitGroup // processes
	mu   sync.Mutex
	sent []*message    // since the driver last looked
	live int           // processes that have not returned
	wake chan struct{} // buffered; something was sent, or a process returned
}

// event is something that is due.
type event struct {
	at   time.Time
	node int // whose link it travels, -1 for none: a frozen node's wait
	what string
	do   func()
}

func newWorld(p Plan) (*world, error) {
	guard, err := newGuard(p.Guard)
	if err != nil {
		return nil, err
	}
	w := &world{
		plan: p, began: time.Now(), rng: rand.New(rand.NewPCG(p.Seed, 2)),
		guarded: guarded{guard: guard}, mailbox: mailbox{wake: make(chan struct{}, 1)}, calendar: calendar{struck: map[Kind]int{}},
	}
	w.check = newChecker(w)
	if w.store, err = newServer(p, w.committed); err != nil {
		return nil, err
	}
	return w, nil
}

// committed takes in a change of the Lease.
func (w *world) committed(c change) {
	w.bodies.add(c)
	if w.store != nil {
		c.blind = w.store.blind
		if w.store.showed(c.revision) {
			w.hit(VersionTwice)
		}
	}
	w.check.committed(c)
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// send hands a message to the driver.
func (w *world) send(m *message) {
	w.mu.Lock()
	w.sent = append(w.sent, m)
	w.mu.Unlock()
	w.rouse()
}

func (w *world) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// in has something done after a while.
func (w *world) in(d time.Duration, node int, what string, do func()) {
	w.pending = append(w.pending, &event{time.Now().Add(d), node, what, do})
}

// drive runs the world until the end of time given, or until no process lives.
func (w *world) drive(end time.Time) {
	for {
		synctest.Wait()
		w.takeIn()
		w.watch()
		w.check.step()
		now := time.Now()
		if e := w.pick(now); e != nil {
			w.perform(e)
			continue
		}
		if !now.Before(end) || w.closing && w.idle() {
			return
		}
		w.sleep(min(w.untilNext(), end.Sub(now)))
	}
}

func (w *world) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live == 0
}

func (w *world) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.wake:
	}
}

// untilNext is when something is due again.
func (w *world) untilNext() time.Duration {
	next := time.Hour
	for _, e := range w.pending {
		next = min(next, time.Until(e.at))
	}
	for _, x := range w.watchers {
		if len(x.queue) > 0 && !w.afflicted(x.node.node.index, Freeze) {
			next = min(next, time.Until(x.queue[0].at))
		}
	}
	return next
}

// takeIn accepts what was sent, in an order that no scheduler decides.
func (w *world) takeIn() {
	w.mu.Lock()
	sent := w.sent
	w.sent = nil
	w.mu.Unlock()
	slices.SortStableFunc(sent, (*message).order)
	for _, m := range sent {
		w.check.requested(m)
		w.travel(m)
	}
}

// pick takes out one of the things that are due.
func (w *world) pick(now time.Time) *event {
	var due []*event
	for _, e := range w.pending {
		if !e.at.After(now) {
			due = append(due, e)
		}
	}
	for _, x := range w.watchers {
		if len(x.queue) > 0 && !x.queue[0].at.After(now) && !w.afflicted(x.node.node.index, Freeze) {
			due = append(due, x.queue[0])
		}
	}
	if len(due) == 0 {
		return nil
	}
	chosen := due[w.rng.IntN(len(due))]
	w.pending = slices.DeleteFunc(w.pending, func(e *event) bool { return e == chosen })
	for _, x := range w.watchers {
		if len(x.queue) > 0 && x.queue[0] == chosen {
			x.queue = x.queue[1:]
		}
	}
	return chosen
}

// perform does e, unless its node is frozen: then it is parked.
func (w *world) perform(e *event) {
	if e.node >= 0 && w.afflicted(e.node, Freeze) {
		w.hit(Freeze)
		w.parked = append(w.parked, e)
		return
	}
	if w.steps++; w.steps == maxSteps {
		w.check.hurried()
	}
	if e.what != "" {
		w.check.tell(e.node, e.what)
	}
	e.do()
}

// maxSteps is far beyond what a run needs. If something asks again and again
// without a pause, every message takes a while from then on: a bubble whose time
// stands still would never end.
const (
	maxSteps = 20_000
	brake    = 100 * time.Millisecond
)

// thaw lets what a frozen node missed happen now.
func (w *world) thaw() {
	parked := w.parked
	w.parked = nil
	for _, e := range parked {
		e.at = time.Now()
		w.pending = append(w.pending, e)
	}
}
