package protocol

import (
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/internal/retry"
)

// pulse is when a term's writes are sent, and how they fare.
type pulse struct {
	due      Instant       // the next one
	heard    Instant       // when one was acknowledged last
	took     time.Duration // the last one that was acknowledged
	failures int           // in a row
	silent   int           // acknowledged renewals since the watch last said anything
}

// silentMost is after how many renewals of which the watch did not tell it is taken for dead.
// Connections die without a word.
const silentMost = 3

func (p pulse) failed(self *Self, now Instant, most time.Duration) pulse {
	p.failures++
	p.due = now.Add(retry.Backoff(self.Draw, p.failures, most))
	return p
}

// superseded returns which writes were sent before one that was acknowledged: their answers are
// of no use. If that one took long, the next is due.
//
// An API server makes of each write a compare-and-swap of its own, and one that loses it goes
// through admission again. Where that takes long, writes that nobody needs keep those from being
// done that are. So a renewal that was sent a moment ago is ended too: the next one takes its
// place, and not turns with it.
func (t *Tenure) superseded(by Answer, now Instant) (next *Tenure, end []int) {
	period := t.self.Timing.RetryPeriod
	t.pulse.took = by.Took
	slow := t.pulse.took > period
	t.flights = unawaited(t.flights)
	for i := range t.flights {
		one := &t.flights[i]
		if by.Claim.Sent.After(one.sent) || slow && !t.rushes() && now.Sub(one.sent) < period/momentShare {
			one.ended = true
			end = append(end, one.id)
		}
	}
	if slow {
		t.pulse.due = now.Add(retry.Least)
	}
	return t, end
}

// unawaited returns the flights of which none is waited for any more.
func unawaited(flights []flight) []flight {
	flights = slices.Clone(flights)
	for i := range flights {
		flights[i].unawaited = true
	}
	return flights
}

// momentShare of RetryPeriod is a moment.
const momentShare = 8

// patience is how long the answer of the last renewal is still waited for before the next one is
// sent beside it; not positive if it is not. A renewal under which another one was done has lost
// the server's compare-and-swap, and is not waited for.
func (t *Tenure) patience(now Instant) time.Duration {
	if len(t.flights) == 0 || t.flights[len(t.flights)-1].unawaited {
		return 0
	}
	patience := t.self.Timing.RequestTimeout()
	if t.rushes() {
		patience = min(patience, t.period())
	}
	return patience - now.Sub(t.flights[len(t.flights)-1].sent)
}

// rushes reports whether writes take more than half of RenewDeadline. Two in a row do not fit
// into it then, so that nothing is won by keeping out of each other's way, and the answer of the
// next has to come before it is over.
func (t *Tenure) rushes() bool { return t.pulse.took > t.self.Timing.RenewDeadline/2 }

// period is how long after a renewal the next one is due.
func (t *Tenure) period() time.Duration {
	if !t.rushes() {
		return t.self.Timing.RetryPeriod
	}
	period, spare := t.self.Timing.RetryPeriod, t.self.Timing.RenewDeadline-t.pulse.took
	return min(period, max(period/rushShare, spare/2))
}

// rushShare bounds how often renewals are sent: so many in a RetryPeriod.
const rushShare = 4
