// Package outage decides how often a failure is logged: when it begins, now and then while it
// lasts, and when it is over.
package outage

import (
	"context"
	"log/slog"
	"time"
)

// A lasting failure is logged again after Least, and then each time after twice as long, up to
// most.
const (
	Least = 10 * time.Second
	most  = 5 * time.Minute
)

// Topic is what fails.
type Topic int

const (
	Listing Topic = iota // listing the Lease
	Watching
	Unopened // a watch that does not open, behind a proxy
	Polling  // because watching is refused
	ListingAll
	WatchingAll
	StandingBy
	Taking // taking the Lease, or creating it: reads may work
	Creating
	Contesting
	Numbering
	Patching
	Renewing
	Announcing
	Proving     // that the holder is dead
	Identifying // this process
)

// words of a topic: what is being done, and the log messages of the failure's beginning and end.
func (t Topic) words() (doing, begins, ends string) {
	const unreachable, reached = "cannot reach the Lease, trying again", "reached the Lease again"
	switch t {
	case Listing:
		return "listing", unreachable, reached
	case Watching:
		return "watching", "cannot watch the Lease, trying again", "the watch on the Lease works again"
	case Unopened:
		return "watching", "the watch on the Lease does not open: a proxy may buffer the answer",
			"the watch on the Lease has opened"
	case Polling:
		return "watching", "not allowed to watch the Lease: polling it instead, handover will be slower",
			"watching the Lease is allowed now"
	case ListingAll:
		return "listing all Leases", "cannot list the Leases of the namespace, trying again",
			"listed the Leases of the namespace again"
	case WatchingAll:
		return "watching all Leases", "cannot watch the Leases of the namespace, trying again",
			"the watch on the Leases of the namespace works again"
	case Taking:
		return "acquiring", "cannot write the Lease, trying again", "the Lease can be written again"
	case Creating:
		return "creating", "the Lease does not exist and creating it is not allowed: waiting for it",
			"the Lease exists now"
	case Contesting:
		return "acquiring", "each attempt to acquire the Lease conflicts with another write:" +
				" something else writes the Lease, or the API server lists what its store has lost",
			"the Lease is no longer contested"
	case Numbering:
		return "acquiring", "cannot acquire the Lease:" +
				" a number on it or in a guard has to be lowered by hand",
			"the number was lowered"
	case Patching:
		return "writing", "not allowed to patch the Lease: updating it instead;" +
				" a term will end if writes take longer than a quarter of RenewDeadline",
			"patching the Lease is allowed now"
	case Announcing:
		return "announcing", "cannot announce the token to a guard again, trying later",
			"announced the token to all guards again"
	case Proving:
		return "asking for evidence", "no proof that the holder is dead: waiting for the lease duration",
			"the holder is proven dead"
	case Identifying:
		return "identifying this process", "what identifies this process is not known:" +
				" if it crashes while active, others wait for the lease duration",
			"what identifies this process is known"
	case Renewing:
		return "renewing", "renewal failed, trying again", "renewed again"
	default:
		return "standing by", unreachable, reached
	}
}

// Teller logs what fails. Only one goroutine uses it.
type Teller struct {
	Log     *slog.Logger
	outages map[Topic]*outage
}

// outage is a failure that lasts.
type outage struct {
	began time.Time
	next  time.Time // when it may be logged again
	pause time.Duration
	count int
}

// Failed takes in a failure. args are logged with it.
func (t *Teller) Failed(what Topic, err error, args ...any) {
	t.failed(slog.LevelWarn, what, err, args)
}

// Refused takes in a failure that only a person can fix. It is logged at once, as an error.
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
	//nolint:sloglint // one of the messages in words
	t.Log.Log(context.Background(), level, begins, append([]any{
		"while", doing, "error", err, "failures", o.count, "for", now.Sub(o.began),
	}, args...)...)
}

// Once takes in a state that is logged only once, until it is over.
func (t *Teller) Once(what Topic, err error, args ...any) {
	if t.outages[what] == nil {
		t.Failed(what, err, args...)
	}
}

// Moot takes in that nobody can know whether a failure lasts, because there is nothing to try.
func (t *Teller) Moot(what Topic) { delete(t.outages, what) }

// Over takes in that a failure, if there was one, is over.
func (t *Teller) Over(what Topic) {
	o := t.outages[what]
	if o == nil {
		return
	}
	delete(t.outages, what)
	doing, _, ends := what.words()
	//nolint:sloglint // one of the messages in words
	t.Log.Info(ends, "while", doing, "failures", o.count, "after", time.Since(o.began))
}
