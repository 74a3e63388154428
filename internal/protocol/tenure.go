package protocol

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hotseat-go/hotseat/lease"
)

// Tenure is what a process knows of a term of its own, from the first write of the acquire until
// its work has returned. It says what to write and when, and judges what the answers and the watch
// show. A Tenure is an immutable value: each method that returns a Tenure leaves its receiver as it
// was. It does no I/O and reads no clock.
//
// A renewal is sent each RetryPeriod. It does not need the answer of the one before, but waits a
// little longer for it. Each renewal prolongs the term from its own sending (rules W1 to W3, T1).
type Tenure struct {
	self     *Self // never modified
	stage    stage
	claim    Claim
	from     Record   // what it is taken from
	flights  []flight // writes that nobody has answered yet, raises left out, in the order of sending
	sent     int      // how many were sent, raises among them
	raise    raising
	pulse    pulse
	updating bool // the verb patch is refused, so that writes get in each other's way
	fenced   bool // the Lease still names the term, with an epoch raised by hand
}

// stage of a term.
type stage int

const (
	acquiring stage = iota // no write of it was acknowledged
	held
	over // nothing prolongs it any more
)

// flight is a write that was not answered yet.
type flight struct {
	id        int
	sent      Instant
	unawaited bool // the next renewal does not wait for its answer
	ended     bool // by us
}

// raising is the raise of the epoch that is in flight; the zero value is none.
type raising struct {
	flight
	to int64
}

// Take returns the tenure of a term that is to begin with claim, over the record from. Its first
// write is due.
func (c *Candidate) Take(claim Claim, from Record) *Tenure {
	return &Tenure{self: c.self, claim: claim, from: from, pulse: pulse{took: c.tries.took}}
}

// Claim is the term as last acknowledged, and the base of its writes.
func (t *Tenure) Claim() Claim { return t.claim }

// From is the record that the term is taken from.
func (t *Tenure) From() Record { return t.from }

// Due is when [Tenure.Next] has something to do; zero once the term is over.
func (t *Tenure) Due() Instant {
	if t.stage == over {
		return Instant{}
	}
	return t.pulse.due
}

// Fenced reports whether the term is over but still has to be released: the Lease names the term,
// with an epoch that was raised by hand.
func (t *Tenure) Fenced() bool { return t.fenced }

// InFlight is how many writes were not answered yet.
func (t *Tenure) InFlight() int {
	if t.raise.id != 0 {
		return len(t.flights) + 1
	}
	return len(t.flights)
}

// ValidUntil is when the term is over unless it is prolonged.
func (t *Tenure) ValidUntil() Instant { return t.claim.ValidUntil(t.self.Timing) }

// Updating returns the tenure with a setting: whether the verb patch is refused, so that each write
// waits for the one before.
func (t *Tenure) Updating(updating bool) *Tenure {
	if t.updating == updating {
		return t
	}
	t = t.clone()
	t.updating = updating
	return t
}

// End returns the tenure of a term that is over.
func (t *Tenure) End() *Tenure {
	t = t.clone()
	t.stage = over
	return t
}

// at returns a copy of the tenure as it is at now: a term that was not prolonged in time is over,
// and stays so (rule T2).
func (t *Tenure) at(now Instant) *Tenure {
	t = t.clone()
	if t.stage == held && !t.ValidUntil().After(now) {
		t.stage = over
	}
	return t
}

func (t *Tenure) clone() *Tenure {
	next := *t
	return &next
}

// Call Next when something is due: the next renewal, or another attempt to acquire the Lease.
func (t *Tenure) Next(now Instant) (*Tenure, Step) {
	t = t.at(now)
	if patience := t.patience(now); t.stage != acquiring && patience > 0 {
		t.pulse.due = now.Add(patience)
		return t, Step{}
	}
	t.pulse.due = now.Add(t.period())
	left := t.ValidUntil().Sub(now)
	switch {
	case t.stage == acquiring && t.sent == 0:
		return t.send(WriteTake, now)
	case t.stage == acquiring:
		return t.send(WriteAgain, now)
	case t.stage == over: // there is nothing left to renew
	case t.raise.id != 0 && left > max(t.self.Timing.RenewDeadline/2, 2*t.pulse.took): // a raise is a renewal too
	case t.InFlight() > 0 && t.updating: // it would be in the way of the one before
	default:
		waiting := t.InFlight() > 0
		next, step := t.send(WriteRenew, now)
		if silent := now.Sub(t.pulse.heard); waiting && silent > t.self.Timing.RenewDeadline/2 {
			step.Silent = silent
		}
		return next, step
	}
	return t, Step{}
}

func (t *Tenure) send(w Write, now Instant) (*Tenure, Step) {
	t.sent++
	t.flights = append(slices.Clone(t.flights), flight{id: t.sent, sent: now})
	return t, Step{Send: w, ID: t.sent}
}

// Raise begins to lift the epoch above mark by [Lock.Raise], with the claim as it is now. It
// reports false if a raise is under way already.
func (t *Tenure) Raise(mark int64, now Instant) (next *Tenure, id int, ok bool) {
	if t.raise.id != 0 {
		return t, 0, false
	}
	t = t.clone()
	t.sent++
	t.raise = raising{flight{id: t.sent, sent: now}, max(t.claim.Lift, mark+1)}
	return t, t.sent, true
}

// Answered takes in what became of a write.
func (t *Tenure) Answered(a Answer, now Instant) (*Tenure, Step) {
	t = t.at(now)
	if a.ID == t.raise.id {
		f := t.raise.flight
		t.raise = raising{}
		t.claim = t.claim.Unanswered(a.Claim)
		return t.kept(a, f, now)
	}
	i := slices.IndexFunc(t.flights, func(f flight) bool { return f.id == a.ID })
	if i < 0 {
		panic(fmt.Sprintf("protocol: answer to write %d, which is not in flight", a.ID))
	}
	f := t.flights[i]
	t.flights = slices.Delete(slices.Clone(t.flights), i, i+1)
	if t.stage == acquiring {
		return t.begun(a, now)
	}
	if lost, ok := errors.AsType[*LostError](a.Err); ok && t.ownRaise(lost) { // it met a raise of our own
		if !a.Claim.Sent.After(t.claim.Sent) {
			return t, Step{}
		}
		a.Err = nil
	}
	return t.kept(a, f, now)
}

// begun takes in an answer to a write of the acquire. Only an answer shows whether the write
// arrived. An acknowledgement proves the term from the sending of its own write on.
func (t *Tenure) begun(a Answer, now Instant) (*Tenure, Step) {
	switch {
	case a.Err == nil && now.Sub(a.Claim.Sent) < t.self.Timing.RenewDeadline:
		a.Claim.Published.Identity = t.claim.Published.Identity // it may be known since it was sent
		t.stage, t.claim, t.pulse.heard, t.pulse.learned = held, a.Claim, now, now
		t = t.knew()
		t, end := t.superseded(a, now)
		return t, Step{Prolonged: true, End: end}
	case a.Err == nil: // too late to start on; a younger one is under way
		return t, Step{}
	case !errors.Is(a.Err, lease.ErrUnavailable) && !errors.Is(a.Err, lease.ErrUnauthorized):
		return t, Step{Failed: a.Err}
	}
	t.pulse = t.pulse.failed(t.self, now, t.self.Timing.RetryPeriod)
	return t, Step{NoAnswer: a.Err}
}

// kept takes in an answer while the term is held, or after it. A definite loss ends it.
func (t *Tenure) kept(a Answer, f flight, now Instant) (*Tenure, Step) {
	lost, isLost := errors.AsType[*LostError](a.Err)
	switch {
	case t.stage == over: // a release has to name the version that is left
		if a.Err == nil {
			t = t.acknowledged(a.Claim, now)
		}
		return t, Step{}
	case isLost:
		t, step := t.lose(lost)
		step.Failed = a.Err
		return t, step
	case a.Err != nil && (f.ended || !f.sent.After(t.claim.Sent)): // we ended it, or a later write went through
		return t, Step{}
	case a.Err != nil:
		t.pulse = t.pulse.failed(t.self, now, t.self.Timing.RetryPeriod/2)
		return t, Step{Failed: a.Err}
	}
	return t.prolonged(a, now)
}

// prolonged takes in an acknowledged write.
func (t *Tenure) prolonged(a Answer, now Instant) (*Tenure, Step) {
	outage := t.pulse.failures > 0 || now.Sub(t.pulse.heard) > 2*t.self.Timing.RetryPeriod
	t.pulse.failures, t.pulse.heard = 0, now
	t, end := t.acknowledged(a.Claim, now).knew().superseded(a, now)
	if t.pulse.silent++; t.pulse.silent < silentMost {
		return t, Step{Prolonged: true, End: end, Announce: outage}
	}
	t.pulse.silent = 0
	return t, Step{Prolonged: true, End: end, Announce: outage, Rewatch: true}
}

// acknowledged takes in the claim of an acknowledged write.
func (t *Tenure) acknowledged(c Claim, now Instant) *Tenure {
	t.claim = t.claim.Acknowledged(c, t.pulse.learned)
	if t.claim.Record.ResourceVersion() == c.Record.ResourceVersion() {
		t.pulse.learned = now
	}
	return t
}

func (t *Tenure) lose(lost *LostError) (*Tenure, Step) {
	t.stage, t.fenced = over, lost.Loss == LossFenced
	return t, Step{Lost: lost}
}

// Observe judges what the watch or a List showed. Observe ignores what is not provably newer than
// the last write of the term. The next renewal will meet it.
func (t *Tenure) Observe(o Observation, now Instant) (*Tenure, Step) {
	t = t.at(now)
	t.pulse.silent = 0
	known := t.claim.Record.ResourceVersion()
	if !Newer(o.ResourceVersion, known) {
		if o.ResourceVersion != known && !Newer(known, o.ResourceVersion) { // it cannot be compared
			return t.Next(now)
		}
		return t, Step{}
	}
	lost, isLost := errors.AsType[*LostError](t.claim.Standing(o.Record))
	switch {
	case !isLost:
		t.claim, t.pulse.learned = t.claim.Rebase(o.Record), now
		t = t.knew()
	case t.ownRaise(lost): // our own raise, seen before its answer, which will tell
	case o.Listed && !o.Stored: // by a cache that may be ahead of its store: a renewal will tell
		t.pulse.due = now
		t.flights = unawaited(t.flights)
	default:
		return t.lose(lost)
	}
	return t, Step{}
}

// ownRaise reports whether a loss is only the epoch that a raise of this term writes.
func (t *Tenure) ownRaise(lost *LostError) bool {
	epoch, err := lost.Record.Epoch()
	return lost.Loss == LossFenced && err == nil && lost.Record.Term() == t.claim.Token.Term &&
		(t.raise.id != 0 && epoch == t.raise.to || t.claim.Standing(lost.Record) == nil)
}
