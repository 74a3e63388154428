package protocol

import (
	"fmt"
	"time"
)

// Action is what a standby does next.
type Action int

const (
	// Wait until Decision.At, or for an observation.
	Wait Action = iota
	// Confirm by a fresh read, then decide again with fresh set.
	Confirm
	// Prove by a look at what was there before the viewed record ([Lock.Before]),
	// then decide again.
	Prove
	// Acquire by compare-and-swap on the viewed record.
	Acquire
	// Create the missing Lease, vacant.
	Create
	// Trace the viewed record back to show that nobody has held the Lease since ([Lock.Trace]), then
	// decide again.
	Trace
	// Ask whether the holder's process is dead, then decide again.
	Ask
)

func (a Action) String() string {
	names := [...]string{"wait", "confirm", "prove", "acquire", "create", "trace", "ask"}
	if a < 0 || int(a) >= len(names) {
		return fmt.Sprintf("Action(%d)", int(a))
	}
	return names[a]
}

// Decision of a [Candidate].
type Decision struct {
	Action Action
	At     Instant // for Wait: when to decide again; zero means when something is observed
	Seat   bool    // for Acquire and Create: it is our own seat, taken back
	Dead   bool    // for Acquire: the holder's process is proven dead
	Why    string  // for logs
}

// Next says what the candidate does at now. What the protocol allows is put off while this
// replica is not eligible, stands back, or lets others go first. Looks are not.
func (c *Candidate) Next(now Instant, eligible bool) Decision {
	d := c.listen(c.view.decide(now, c.fresh), now)
	switch at := c.turn(d); {
	case d.Action == Wait:
	case !eligible && !d.reads():
		return Decision{Action: Wait, Why: "not eligible"}
	case at.After(now):
		return Decision{Action: Wait, At: at, Why: "standing back"}
	}
	return d
}

// turn is when the candidate may do what was decided.
func (c *Candidate) turn(d Decision) Instant {
	at, free := c.tries.retryAt, c.view.FreeAt()
	named := c.view.Record().Successor()
	wait := c.manners.crowd.turn
	switch {
	case d.reads(), d.Seat:
		return at
	case d.Action == Create: // with it the wait begins for everybody: it is no candidacy
		return later(at, c.tries.createAt)
	case names(named, c.self.Identity):
		return later(at, free)
	case c.manners.courteous:
		wait = courtesy
	}
	if named != "" {
		wait += grace(c.self.Timing)
	}
	_, failed := c.Failures(free)
	return later(later(at, c.leave.holdOff), free.Add(wait+max(c.manners.yield, failed)))
}

func (d Decision) reads() bool {
	return d.Action == Confirm || d.Action == Prove || d.Action == Trace || d.Action == Ask
}

// listen makes a waiting candidate look again if it has heard nothing for longer than a live holder
// is silent. Connections die without a sign, and the wait counts from what was last seen.
func (c *Candidate) listen(d Decision, now Instant) Decision {
	if d.Action != Wait || d.At.IsZero() {
		return d
	}
	switch at := c.view.Last().At.Add(c.manners.silence); {
	case !at.After(now):
		return Decision{Action: Confirm, Why: "nothing heard for a while"}
	case d.At.After(at):
		d.At = at
	}
	return d
}

// news is how long a candidate may act on a release that it saw without a fresh read. The store may
// be restored meanwhile, and then the version can mean another record.
const news = 500 * time.Millisecond

// decide says what the protocol allows at now. fresh means that the last observation is a read
// made for this decision.
//
// It ignores whose claim it is. An earlier term of this very process is waited out like any other,
// because the identity in a record proves nothing after a restore or an edit.
func (v View) decide(now Instant, fresh bool) Decision {
	r := v.Record()
	switch {
	case !v.known:
		return Decision{Action: Wait, Why: "nothing observed yet"}
	case v.doubted:
		return Decision{Action: Confirm, Why: "the last look may be out of date"}
	case v.seated(now) && r.Exists():
		return Decision{Action: Acquire, Seat: true, Why: "our own term was taken from the Lease"}
	case !r.Exists():
		// Two looks at nothing do not prove that nothing was there in between. A
		// vacant Lease has a UID and a version, so waiting on it does.
		return Decision{Action: Create, Seat: v.seated(now), Why: "missing"}
	case now.Sub(v.FreeAt()) < 0 && v.proof.wanted:
		return Decision{Action: Prove, At: v.FreeAt(), Why: "it says that nobody is at work"}
	case now.Sub(v.FreeAt()) < 0:
		return v.whileHeld(now, fresh)
	case r.Released() && now.Sub(v.last.At) < news:
		return Decision{Action: Acquire, Why: "released"}
	case r.untouched() && now.Sub(v.last.At) < news:
		return Decision{Action: Acquire, Why: "never held"}
	case !fresh:
		return Decision{Action: Confirm, Why: "free for a while"}
	case r.Released():
		return Decision{Action: Acquire, Why: "released"}
	case r.untouched():
		return Decision{Action: Acquire, Why: "never held"}
	case v.holderDead():
		return Decision{Action: Acquire, Dead: true, Why: "its holder's process is proven dead"}
	default:
		return Decision{Action: Acquire, Why: "unchanged for a lease duration"}
	}
}

// Proof is what proved to an acquire that nobody else was at work, in one word of [Proofs]. Why says
// it in a sentence.
func (d Decision) Proof() string {
	switch {
	case d.Seat:
		return "retaken"
	case d.Dead:
		return "dead"
	case d.Why == "released":
		return "released"
	case d.Why == "never held":
		return "unheld"
	default:
		return "expired"
	}
}

// Proofs are all that an acquire can have.
func Proofs() []string { return []string{"unheld", "released", "expired", "dead", "retaken"} }
