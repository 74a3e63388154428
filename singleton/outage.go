package singleton

import (
	"log/slog"
	"time"
)

// A lasting failure is repeated in the log after outageLeast, and then after
// twice as long each time, at most outageMost.
const (
	outageLeast = 10 * time.Second
	outageMost  = 5 * time.Minute
)

// outage logs a failure that repeats: when it begins, now and then while it
// lasts, and when it is over. One goroutine uses it.
type outage struct {
	log   *slog.Logger
	what  string
	began time.Time // zero: there is none
	next  time.Time // when it may be said again
	pause time.Duration
	count int
}

func (o *outage) failed(err error) {
	now := time.Now()
	o.count++
	if o.began.IsZero() {
		o.began, o.pause = now, outageLeast
	} else if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.pause)
	o.pause = min(2*o.pause, outageMost)
	o.log.Warn("cannot reach the lease, trying again", "doing", o.what, "error", err, "failures", o.count, "for", now.Sub(o.began))
}

func (o *outage) over() {
	if o.began.IsZero() {
		return
	}
	o.log.Info("reached the lease again", "doing", o.what, "failures", o.count, "after", time.Since(o.began))
	*o = outage{log: o.log, what: o.what}
}
