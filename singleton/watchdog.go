package singleton

import (
	"sync"
	"time"
)

// watchdog ends a term at its deadline. It waits for no request, and for no lock or callback of
// other code.
type watchdog struct {
	term *Term
	step time.Duration

	mu      sync.Mutex // orders stop with the timer's re-arming
	timer   *time.Timer
	stopped bool
}

// guardTerm arms a watchdog on t.
func guardTerm(t *Term) *watchdog {
	// A timer counts the monotonic clock only. Looking again every quarter of
	// RetryPeriod bounds how long after a suspend the context ends.
	w := &watchdog{term: t, step: t.config.Timing.RetryPeriod / 4}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.next(), w.check)
	return w
}

func (w *watchdog) next() time.Duration {
	return min(w.step, max(0, w.term.config.Replica.clock.Until(*w.term.until.Load())))
}

func (w *watchdog) check() {
	if until := *w.term.until.Load(); w.term.config.Replica.clock.Until(until) <= 0 {
		w.term.lose(w.term.expired(until))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.timer.Reset(w.next())
	}
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
