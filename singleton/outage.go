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

// topic is what fails.
type topic int

const (
	listing topic = iota
	watching
	unopened // watching, behind a proxy
	polling  // since watching is refused
	listingAll
	watchingAll
	standingBy
	taking // the Lease, or creating it: reads may work
	creating
	contesting
	numbering
	patching
	renewing
)

// words of a topic: its name, and how its beginning and its end are told.
func (t topic) words() (doing, begins, ends string) {
	const unreachable, reached = "cannot reach the lease, trying again", "reached the lease again"
	switch t {
	case listing:
		return "listing", unreachable, reached
	case watching:
		return "watching", "cannot watch the lease, trying again", "the watch on the lease works again"
	case unopened:
		return "watching", "the watch on the lease does not open: a proxy may buffer its answer", "the watch on the lease has opened"
	case polling:
		return "watching", "not allowed to watch the lease: polling it instead, handover will be slower", "watching the lease is allowed now"
	case listingAll:
		return "listing all leases", "cannot list the leases of the namespace, trying again", "listed the leases of the namespace again"
	case watchingAll:
		return "watching all leases", "cannot watch the leases of the namespace, trying again", "the watch on the leases of the namespace works again"
	case taking:
		return "acquiring", "cannot write the lease, trying again", "the lease can be written again"
	case creating:
		return "creating", "the lease does not exist and creating it is not allowed: waiting for it", "the lease exists now"
	case contesting:
		return "acquiring", "each try to acquire the lease meets another write: something else writes it, or the API server lists what its store has lost", "the lease is not contested any more"
	case numbering:
		return "acquiring", "cannot acquire the lease: a number on it or in a guard has to be lowered by hand", "the number was lowered"
	case patching:
		return "writing", "not allowed to patch the lease: updating it instead; an API server that takes longer than a quarter of RenewDeadline for a write will end terms", "patching the lease is allowed now"
	case renewing:
		return "renewing", "renewal failed, trying again", "renewed again"
	default:
		return "standing by", unreachable, reached
	}
}

// teller decides what failure is told how often: when it begins, now and then
// while it lasts, and when it is over. One goroutine uses it.
type teller struct {
	log     *slog.Logger
	outages map[topic]*outage
}

// outage is a failure that lasts.
type outage struct {
	began time.Time
	next  time.Time // when it may be said again
	pause time.Duration
	count int
}

// failed takes in a failure. args are told beside it.
func (t *teller) failed(what topic, err error, args ...any) {
	now := time.Now()
	o := t.outages[what]
	if o == nil {
		if t.outages == nil {
			t.outages = map[topic]*outage{}
		}
		o = &outage{began: now, next: now, pause: outageLeast}
		t.outages[what] = o
	}
	o.count++
	if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.pause)
	o.pause = min(2*o.pause, outageMost)
	doing, begins, _ := what.words()
	t.log.Warn(begins, append([]any{"doing", doing, "error", err, "failures", o.count, "for", now.Sub(o.began)}, args...)...) //nolint:sloglint // it is one of words'
}

// once takes in a state that is told one time only, until it is over.
func (t *teller) once(what topic, err error, args ...any) {
	if t.outages[what] == nil {
		t.failed(what, err, args...)
	}
}

// moot takes in that nobody knows whether a failure lasts: there is nothing to try.
func (t *teller) moot(what topic) { delete(t.outages, what) }

// over takes in that a failure, if there was one, is over.
func (t *teller) over(what topic) {
	o := t.outages[what]
	if o == nil {
		return
	}
	delete(t.outages, what)
	doing, _, ends := what.words()
	t.log.Info(ends, "doing", doing, "failures", o.count, "after", time.Since(o.began)) //nolint:sloglint // likewise
}
