package sim

import (
	"slices"
	"time"
)

// settled is when the last fault is over that excuses that nobody is active, and
// processes are there.
func (p Plan) settled() time.Duration {
	last := lastStart
	for _, f := range p.Faults {
		last = max(last, f.excuses())
	}
	return last
}

// over is when the last fault of any kind is.
func (p Plan) over() time.Duration {
	last := p.settled()
	for _, f := range p.Faults {
		last = max(last, f.over())
	}
	return last
}

// misleads reports whether a client-go candidate can come to take the Lease from
// a holder at work: it believes what anybody writes there, that a Lease is free
// which is missing, what a write is answered, and on its own release that the
// Lease is still its own.
func (p Plan) misleads(e Elector) bool {
	return e == ClientGoRelease || slices.ContainsFunc(p.Faults, func(f Fault) bool {
		switch f.Kind {
		case Foreign, Clear, Shorten, Delete, Restore, Bumped, PutBack, Replace, Reship, StaleCache, Lie:
			return true
		case Overrun:
			return f.N == 2 // an intruder
		}
		return false
	})
}

// roundTrips are those of a takeover: two lists, the write and the announcement,
// some of them twice where two standbys meet.
const roundTrips = 8

// silentPeriods is after how many RetryPeriods a standby has looked again.
const silentPeriods = 3

// restRetry: client-go sends a read whose connection was reset again, a second
// later, below us. A read of the outage that is on its way when that ends counts
// until then.
const restRetry = time.Second

// slowRequests are those of a takeover that a slow server answers one after the
// other: the former's last renewal on its way, a list, a GET and the write, and
// one of them again.
const slowRequests = 5

// requestsPastACache are more of them where a cache is ahead of its store: a second
// GET before the write, and after its refusal a third one and the update.
const requestsPastACache = 3

// patience is how long it may take after the last fault until one is active: a
// lease and half a second, and what some faults leave behind.
func (p Plan) patience() time.Duration {
	limit := p.Timing.LeaseDuration + 500*time.Millisecond + roundTrips*2*p.Latency
	silenced, swallowed, misled, named := false, false, false, false
	written, slow := time.Duration(0), time.Duration(0)
	for _, f := range p.Faults {
		late := p.settled()-f.over() < 2*p.Timing.LeaseDuration
		switch f.Kind {
		case Shorten: // the holder's written duration counts
			written = max(written, time.Duration(f.N)*time.Second-p.Timing.LeaseDuration)
		case BlackHole: // a standby whose watch fell silent looks again, and waits from what it then finds
			silenced, swallowed = silenced || late, swallowed || late
		case HangAnswer, DelayAnswer, DelayRequest: // until it times out
			swallowed = swallowed || late
		case Name: // the others let the named one go first; the name can also be put back
			named = true
		case StaleCache: // what the store has, a standby learns when it is about to write; then a lease begins
			misled = misled || late
		case Lie: // also of a Lease that was created
			misled = misled || late && p.vanishes()
		case SlowServer, SlowWrites, SlowAdmission:
			if late {
				slow = max(slow, f.most())
			}
		}
	}
	limit += written + slowRequests*slow
	if p.REST {
		limit += restRetry
	}
	if named {
		limit += p.Timing.RetryPeriod / 2
	}
	if silenced {
		limit += silentPeriods * p.Timing.RetryPeriod
	}
	if swallowed {
		limit += p.Timing.RenewDeadline / swallowedShare
	}
	if misled {
		limit += p.Timing.LeaseDuration + requestsPastACache*slow
	}
	if p.wedges() { // whose work has stalled lets others go first
		limit += p.Timing.LeaseDuration
	}
	if !p.Pure() {
		limit += p.Timing.LeaseDuration // its standbys poll, and its crashed holder has no term
	}
	return limit
}

// swallowedShare of RenewDeadline is when a request that nobody answers is given
// up, or made again beside the first.
const swallowedShare = 4

// vanishes reports whether the Lease can be missing.
func (p Plan) vanishes() bool {
	return p.NoLease || slices.ContainsFunc(p.Faults, func(f Fault) bool {
		switch f.Kind {
		case Delete, Reship, Restore, Bumped, StaleCache:
			return true
		}
		return false
	})
}

// quiet is from when on nothing but renewals should be sent.
func (p Plan) quiet() time.Duration { return p.over() + 2*p.patience() }
