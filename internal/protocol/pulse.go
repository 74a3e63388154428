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
	learned  Instant       // when the claim's record was answered or shown
	took     time.Duration // the last one that was acknowledged
	failures int           // in a row
	silent   int           // acknowledged renewals since the watch last said anything
}

// silentMost is how many of our own renewals the watch may miss before it is considered dead.
// Connections die without a sign.
const silentMost = 3

func (p pulse) failed(self *Self, now Instant, most time.Duration) pulse {
	p.failures++
	p.due = now.Add(retry.Backoff(self.Draw, p.failures, most))
	return p
}

// superseded returns the writes that were sent before one that was acknowledged: their answers are
// of no use. If that one took long, the next write is due.
//
// Inside an API server, each write is a compare-and-swap, and a write that loses it goes through
// admission again. If admission is slow, writes that nobody needs hold up those that are needed. So
// a renewal that was sent a moment ago is cancelled too. The next one takes its place, so that the
// two do not take turns in losing to each other.
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

// patience is how long to wait for the answer of the last renewal before the next one is sent
// beside it. If it is not positive, do not wait. A renewal that was in flight while another one
// succeeded has lost the server's compare-and-swap, and is not waited for.
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

// rushes reports whether writes take more than half of RenewDeadline. Then two writes in a row do
// not fit into it. Nothing is gained if one waits for the other, and the answer of the next has to
// come before RenewDeadline is over.
func (t *Tenure) rushes() bool { return t.pulse.took > t.self.Timing.RenewDeadline/2 }

// period is how long after a renewal the next one is due.
func (t *Tenure) period() time.Duration {
	if !t.rushes() {
		return t.self.Timing.RetryPeriod
	}
	period, spare := t.self.Timing.RetryPeriod, t.self.Timing.RenewDeadline-t.pulse.took
	return min(period, max(period/rushShare, spare/2))
}

// rushShare is how many renewals are sent in a RetryPeriod at most.
const rushShare = 4
