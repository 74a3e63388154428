package lease

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
)

func (a Action) String() string {
	names := [...]string{"wait", "confirm", "prove", "acquire", "create"}
	if a < 0 || int(a) >= len(names) {
		return fmt.Sprintf("Action(%d)", int(a))
	}
	return names[a]
}

// Decision of [Decide].
type Decision struct {
	Action Action
	At     Instant // for Wait: when to decide again; zero means when something is observed
	Seat   bool    // for Acquire and Create: it is our own seat, taken back
	Why    string  // for logs
}

// news is how long a release that was seen is acted on without a fresh read: the
// store may be restored meanwhile, and the version come to mean another record.
const news = 500 * time.Millisecond

// Decide says what a standby does at now, knowing v. fresh means that v's last
// observation is a read made for this decision. It does no I/O and reads no
// clock.
//
// It does not ask whose the claim is. One of this process's own earlier terms is
// waited out like any other: the identity in a record proves nothing after a
// restore or an edit.
func Decide(v View, now Instant, fresh bool) Decision {
	r := v.Record()
	switch {
	case !v.known:
		return Decision{Action: Wait, Why: "nothing observed yet"}
	case v.doubted:
		return Decision{Action: Confirm, Why: "the last look may be out of date"}
	case v.seated(now) && r.Exists():
		return Decision{Action: Acquire, Seat: true, Why: "our own term was taken from the lease"}
	case !r.Exists():
		// Two looks at nothing do not prove that nothing was there in between. A
		// vacant Lease has a UID and a version, so waiting on it does.
		return Decision{Action: Create, Seat: v.seated(now), Why: "missing"}
	case now.Sub(v.FreeAt()) < 0 && v.proof.wanted:
		return Decision{Action: Prove, At: v.FreeAt(), Why: "it says that nobody is at work"}
	case now.Sub(v.FreeAt()) < 0:
		return Decision{Action: Wait, At: v.FreeAt(), Why: "held, or not proven to be free"}
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
	default:
		return Decision{Action: Acquire, Why: "unchanged for a lease duration"}
	}
}
