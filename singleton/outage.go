package singleton

import (
	"cmp"
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
	log          *slog.Logger
	what         string
	begins, ends string    // how to say it; empty: that the Lease cannot be reached
	began        time.Time // zero: there is none
	next         time.Time // when it may be said again
	pause        time.Duration
	count        int
}

func (o *outage) failed(err error, args ...any) {
	now := time.Now()
	o.count++
	if o.began.IsZero() {
		o.began, o.pause = now, outageLeast
	} else if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.pause)
	o.pause = min(2*o.pause, outageMost)
	o.log.Warn(cmp.Or(o.begins, "cannot reach the lease, trying again"),
		append([]any{"doing", o.what, "error", err, "failures", o.count, "for", now.Sub(o.began)}, args...)...)
}

func (o *outage) over() {
	if o.began.IsZero() {
		return
	}
	o.log.Info(cmp.Or(o.ends, "reached the lease again"), "doing", o.what, "failures", o.count, "after", time.Since(o.began))
	*o = outage{log: o.log, what: o.what, begins: o.begins, ends: o.ends}
}
