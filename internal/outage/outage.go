// Package outage decides what failure is told how often: when it begins, now and then while it
// lasts, and when it is over.
package outage

import (
	"context"
	"log/slog"
	"time"
)

// A lasting failure is repeated in the log after Least, and then after
// twice as long each time, at most most.
const (
	Least = 10 * time.Second
	most  = 5 * time.Minute
)

// Topic is what fails.
type Topic int

const (
	Listing Topic = iota // the Lease
	Watching
	Unopened // watching, behind a proxy
	Polling  // since watching is refused
	ListingAll
	WatchingAll
	StandingBy
	Taking // the Lease, or creating it: reads may work
	Creating
	Contesting
	Numbering
	Patching
	Renewing
	Announcing
)

// words of a topic: its name, and how its beginning and its end are told.
func (t Topic) words() (doing, begins, ends string) {
	const unreachable, reached = "cannot reach the lease, trying again", "reached the lease again"
	switch t {
	case Listing:
		return "listing", unreachable, reached
	case Watching:
		return "watching", "cannot watch the lease, trying again", "the watch on the lease works again"
	case Unopened:
		return "watching", "the watch on the lease does not open: a proxy may buffer its answer", "the watch on the lease has opened"
	case Polling:
		return "watching", "not allowed to watch the lease: polling it instead, handover will be slower", "watching the lease is allowed now"
	case ListingAll:
		return "listing all leases", "cannot list the leases of the namespace, trying again", "listed the leases of the namespace again"
	case WatchingAll:
		return "watching all leases", "cannot watch the leases of the namespace, trying again", "the watch on the leases of the namespace works again"
	case Taking:
		return "acquiring", "cannot write the lease, trying again", "the lease can be written again"
	case Creating:
		return "creating", "the lease does not exist and creating it is not allowed: waiting for it", "the lease exists now"
	case Contesting:
		return "acquiring", "each try to acquire the lease meets another write: something else writes it, or the API server lists what its store has lost", "the lease is not contested any more"
	case Numbering:
		return "acquiring", "cannot acquire the lease: a number on it or in a guard has to be lowered by hand", "the number was lowered"
	case Patching:
		return "writing", "not allowed to patch the lease: updating it instead; an API server that takes longer than a quarter of RenewDeadline for a write will end terms", "patching the lease is allowed now"
	case Announcing:
		return "announcing", "a guard could not be told of the token again, trying later", "guards were told of the token again"
	case Renewing:
		return "renewing", "renewal failed, trying again", "renewed again"
	default:
		return "standing by", unreachable, reached
	}
}

// Teller tells what fails. One goroutine uses it.
type Teller struct {
	Log     *slog.Logger
	outages map[Topic]*outage
}

// outage is a failure that lasts.
type outage struct {
	began time.Time
	next  time.Time // when it may be said again
	pause time.Duration
	count int
}

// Failed takes in a failure. args are told beside it.
func (t *Teller) Failed(what Topic, err error, args ...any) {
	t.failed(slog.LevelWarn, what, err, args)
}

// Refused takes in a failure that only somebody's hand can mend. It is told at once, as an error.
func (t *Teller) Refused(what Topic, err error) {
	if o := t.outages[what]; o != nil {
		o.next = time.Now()
	}
	t.failed(slog.LevelError, what, err, nil)
}

func (t *Teller) failed(level slog.Level, what Topic, err error, args []any) {
	now := time.Now()
	o := t.outages[what]
	if o == nil {
		if t.outages == nil {
			t.outages = map[Topic]*outage{}
		}
		o = &outage{began: now, next: now, pause: Least}
		t.outages[what] = o
	}
	o.count++
	if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.pause)
	o.pause = min(2*o.pause, most)
	doing, begins, _ := what.words()
	t.Log.Log(context.Background(), level, begins, append([]any{ //nolint:sloglint // it is one of words'
		"doing", doing, "error", err, "failures", o.count, "for", now.Sub(o.began),
	}, args...)...)
}

// Once takes in a state that is told one time only, until it is over.
func (t *Teller) Once(what Topic, err error, args ...any) {
	if t.outages[what] == nil {
		t.Failed(what, err, args...)
	}
}

// Moot takes in that nobody knows whether a failure lasts: there is nothing to try.
func (t *Teller) Moot(what Topic) { delete(t.outages, what) }

// Over takes in that a failure, if there was one, is over.
func (t *Teller) Over(what Topic) {
	o := t.outages[what]
	if o == nil {
		return
	}
	delete(t.outages, what)
	doing, _, ends := what.words()
	t.Log.Info(ends, "doing", doing, "failures", o.count, "after", time.Since(o.began)) //nolint:sloglint // likewise
}
