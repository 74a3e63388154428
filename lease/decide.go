package lease

// Action is what a standby does next.
type Action int

const (
	// Wait until Decision.At, or for an observation.
	Wait Action = iota
	// Confirm by a fresh List, then decide again with fresh set.
	Confirm
	// Acquire by compare-and-swap on the viewed record.
	Acquire
	// Create the missing Lease, held.
	Create
)

func (a Action) String() string {
	return [...]string{"wait", "confirm", "acquire", "create"}[a]
}

// Decision of [Decide].
type Decision struct {
	Action Action
	At     Instant // for Wait: when to decide again; zero means when something is observed
	Why    string  // for logs
}

// Decide says what a standby with identity self does at now, knowing v. fresh
// means that v's last observation is a List made for this decision. It does no
// I/O and reads no clock.
func Decide(v View, self string, now Instant, fresh bool) Decision {
	r := v.Record()
	listed := func(a Action, why string) Decision {
		if !fresh || v.doubted {
			a = Confirm
		}
		return Decision{Action: a, Why: why}
	}
	switch {
	case !v.known:
		return Decision{Action: Wait, Why: "nothing observed yet"}
	case v.doubted:
		return Decision{Action: Confirm, Why: "the last look may be out of date"}
	case r.Exists() && r.Holder() == self:
		// This process is standing by, so no work of that term is running: its
		// acquire came too late, or it was lost and has drained.
		return listed(Acquire, "held by an earlier term of this process")
	case now.Sub(v.FreeAt()) < 0:
		return Decision{Action: Wait, At: v.FreeAt(), Why: "held, or not proven to be free"}
	case !r.Exists():
		return listed(Create, "missing for a full lease")
	case r.Released():
		return Decision{Action: Acquire, Why: "released"}
	case r.untouched():
		return Decision{Action: Acquire, Why: "never held"}
	default:
		return listed(Acquire, "unchanged for the holder's lease")
	}
}
