package singleton

import "time"

// overtaken ends the requests that were sent before one that was acknowledged: their
// answers are of no use. If that one took long, the next is due.
//
// An API server makes of each write a compare-and-swap of its own, and one that loses
// it goes through admission again. Where that takes long, writes that nobody needs
// keep those from being done that are. So a renewal that was sent a moment ago is
// ended too: the next one takes its place, and not turns with it.
func (k *keeper) overtaken(by answer) {
	k.r.took = by.took
	slow := by.took > k.r.config.RetryPeriod
	for _, f := range k.flights {
		f.doomed = true
		age := k.r.config.clock.Since(f.sent)
		if by.claim.Sent.After(f.sent) || slow && !k.r.rushes() && age < k.r.config.RetryPeriod/momentShare {
			f.ended = true
			f.cancel()
		}
	}
	if slow {
		k.due.Reset(retryLeast)
	}
}

// momentShare of RetryPeriod is a moment.
const momentShare = 8

// patience is how long the answer of the last renewal is still waited for before
// the next one is sent beside it; not positive if it is not. A renewal under which
// another one was done has lost the server's compare-and-swap, and is not waited for.
func (k *keeper) patience() time.Duration {
	if len(k.flights) == 0 || k.flights[len(k.flights)-1].doomed {
		return 0
	}
	patience := k.r.config.timing().RequestTimeout()
	if k.r.rushes() {
		patience = min(patience, k.r.period())
	}
	return patience - k.r.config.clock.Since(k.flights[len(k.flights)-1].sent)
}

// rushes reports whether writes take more than half of RenewDeadline. Two in a row do
// not fit into it then, so that nothing is won by keeping out of each other's way, and
// the answer of the next has to come before it is over.
func (r *run) rushes() bool { return r.took > r.config.RenewDeadline/2 }

// period is how long after a renewal the next one is due.
func (r *run) period() time.Duration {
	if !r.rushes() {
		return r.config.RetryPeriod
	}
	return min(r.config.RetryPeriod, max(r.config.RetryPeriod/rushShare, (r.config.RenewDeadline-r.took)/2))
}

// rushShare bounds how often renewals are sent: so many in a RetryPeriod.
const rushShare = 4
