package protocol

import (
	"errors"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/retry"
)

// Candidate is what one process knows of a Lease that it does not hold, and how its attempts to
// acquire the Lease went. From that it decides what to do next. A Candidate is an immutable value:
// each method that returns a Candidate leaves its receiver as it was. It does no I/O and reads no
// clock.
type Candidate struct {
	self    *Self // never modified
	view    View
	fresh   bool    // the view's last observation is a read made to decide on
	leave   leave   // it may not act, or not yet
	manners manners // how it lets others go first
	tries   tries   // what became of its attempts
}

// Self is who a [Candidate] is. It stays the same.
type Self struct {
	Identity string
	Timing   lease.Timing
	// Draw makes the random part of pauses. It always returns zero if there is to be none.
	Draw chance.Draw
	// HoldOff is how long others go first after a term whose work failed.
	HoldOff time.Duration
	// Settle is how long after proof of its holder's death the Lease may be acquired.
	Settle time.Duration
}

// leave is since when, and from when on, a candidate may act.
type leave struct {
	holdOff Instant // it stands back until then
	began   Instant // its Run
}

// tries are a candidate's attempts to take the Lease.
type tries struct {
	failures  int32   // in a row
	conflicts int32   // acquires in a row that met another write
	retryAt   Instant // the next attempt
	createAt  Instant // the missing Lease is not to be created before
	refused   retry.Refusals
	acquired  bool          // a write was allowed before
	took      time.Duration // the last write that was acknowledged
}

// createSpread keeps the standbys that see a Lease vanish from all creating it.
const createSpread = 100 * time.Millisecond

// silenceLeast is for how many RetryPeriods nothing may be heard of a holder; up to one more is
// random, so that standbys do not all look at once.
const silenceLeast = 2

// NewCandidate returns a candidate that begins now. It keeps what the candidate before knew of the
// Lease and of failures, and stands back for as long as that one did. before may be nil. Do not
// modify self.
func NewCandidate(self *Self, before *Candidate, now Instant) *Candidate {
	period := self.Timing.RetryPeriod
	c := &Candidate{self: self, leave: leave{began: now}, manners: manners{silence: silenceLeast*period + self.Draw(period)}}
	if before != nil {
		c.view, c.leave.holdOff = before.view, before.leave.holdOff
		c.manners.failed = before.manners.failed
	}
	return c
}

func (c *Candidate) clone() *Candidate {
	next := *c
	return &next
}

// View is what the candidate has seen of the Lease.
func (c *Candidate) View() *View { return &c.view }

// HoldOff returns the candidate that stands back until then, so that another one can win.
func (c *Candidate) HoldOff(until Instant) *Candidate {
	c = c.clone()
	c.leave.holdOff = until
	return c
}

// Courteous returns the candidate that lets others go first when the Lease comes free.
func (c *Candidate) Courteous() *Candidate {
	c = c.clone()
	c.manners.courteous = true
	return c
}

// Waited returns the candidate after it has waited until a time. What was read for a decision
// before then is too old for the next one.
func (c *Candidate) Waited() *Candidate {
	if !c.fresh {
		return c
	}
	c = c.clone()
	c.fresh = false
	return c
}

// Observe takes in what was seen of the Lease.
func (c *Candidate) Observe(o Observation, now Instant) *Candidate {
	next, _ := c.observe(o, now)
	return next
}

func (c *Candidate) observe(o Observation, now Instant) (next *Candidate, believed bool) {
	before := &c.view
	c = c.clone()
	c.view, believed = before.after(&o, c.self.Timing.LeaseDuration)
	c.fresh = false
	if before.FreeAt() != c.view.FreeAt() { // a change: what failed before may not now
		c.tries.failures, c.tries.retryAt = 0, Instant{}
		c.manners.crowd = c.manners.crowd.next(c.self.Draw)
	}
	r := c.view.Record()
	if !r.Exists() && (before.Record().Exists() || !before.Known()) {
		c.tries.createAt = now.Add(c.self.Draw(createSpread))
	}
	if r.Holder() != "" && r.Holder() != c.self.Identity { // that is who was faster
		c.tries.conflicts = 0
	}
	return c, believed
}

// Confirmed takes in a look that was made for a decision ([Lock.Confirm]). What the watch showed
// meanwhile has to be taken in first: a read that was sent before a restore can be answered after
// it, and must not be believed then. missed reports that the watch should have shown what the look
// shows.
func (c *Candidate) Confirmed(seen Observation, now Instant) (next *Candidate, missed bool) {
	next, believed := c.observe(seen, now)
	next.fresh = believed
	if !believed {
		next.tries = next.tries.failed(c.self, now, c.self.Timing.RetryPeriod)
	}
	return next, c.view.Known() && c.view.FreeAt() != next.view.FreeAt()
}

// Proved takes in a look at what was there before a record ([Lock.Before]). unknown reports that
// the server no longer knows. The candidate then waits for a lease duration.
func (c *Candidate) Proved(of, before Record, looked bool) (next *Candidate, unknown bool) {
	c = c.clone()
	waited := c.view.FreeAt()
	c.view = c.view.Proved(of, before, looked)
	return c, c.view.FreeAt() == waited && c.view.Record().ResourceVersion() == of.ResourceVersion()
}

// Created takes in that the missing Lease was created. Only the watch may show that the Lease is
// there: no other answer proves that nobody held a Lease in between.
func (c *Candidate) Created(now Instant) *Candidate {
	c = c.clone()
	c.view = c.view.Doubt()
	c.tries.retryAt = now.Add(c.self.Timing.RetryPeriod / 4)
	return c
}

// Acquired takes in that a write of t, which began with it, was acknowledged at now.
func (c *Candidate) Acquired(t *Tenure, now Instant) *Candidate {
	if t.stage != held {
		panic("protocol: a term is acquired that no answer has acknowledged")
	}
	c = c.clone()
	c.manners.courteous, c.manners.crowd = false, crowd{}
	c.tries = tries{acquired: true, createAt: c.tries.createAt}
	c = c.Observe(t.claim.Written(now), now)
	c.view = c.view.Seated(t.claim.Token.Term)
	return c
}

// Standby returns the candidate that begins to stand by. Its attempts are counted from zero.
func (c *Candidate) Standby() *Candidate {
	if c.tries.failures == 0 && c.tries.retryAt.IsZero() {
		return c
	}
	c = c.clone()
	c.tries.failures, c.tries.retryAt = 0, Instant{}
	return c
}

// Left takes in that the work of t, a term of its own, has returned.
func (c *Candidate) Left(t *Tenure) *Candidate {
	c = c.clone()
	c.tries.took = t.pulse.took
	return c
}

// Vacated takes in that the work of t has returned, and that t was removed from the Lease while it
// would still be valid. So the candidate may take its seat back.
func (c *Candidate) Vacated(t *Tenure) *Candidate {
	if t.stage != over {
		panic("protocol: a seat is taken back before the term is over")
	}
	c = c.clone()
	c.view = c.view.Vacated(t.ValidUntil())
	return c
}

// NoAnswer takes in that a write of an acquire was not answered. Refusals before that prove
// nothing.
func (c *Candidate) NoAnswer() *Candidate {
	c = c.clone()
	c.tries.refused = retry.Refusals{}
	return c
}

// Rehearsed takes in the answer to a rehearsed write ([Lock.Rehearse]). A refusal counts like that
// of an acquire (rule F2). For any other answer, and for none, the verdict is Outage.
func (c *Candidate) Rehearsed(err error, now Instant) (next *Candidate, verdict Verdict) {
	c = c.clone()
	if errors.Is(err, lease.ErrForbidden) || errors.Is(err, lease.ErrNoNamespace) ||
		errors.Is(err, lease.ErrRejected) {
		return c.refusal(now)
	}
	c.tries.refused = retry.Refusals{}
	return c, Outage
}

// Beaten reports whether another term is seen where t was to begin.
func (c *Candidate) Beaten(t *Tenure) bool {
	r := c.view.Record()
	return r.Holder() != "" && r.Term() != t.claim.Token.Term && Newer(r.ResourceVersion(), t.from.ResourceVersion())
}

// Failed takes in the error of an attempt to do what was decided.
func (c *Candidate) Failed(d Decision, err error, now Instant) (next *Candidate, verdict Verdict) {
	c = c.clone()
	timing := c.self.Timing
	request, _ := errors.AsType[*lease.RequestError](err)
	denied := request != nil && errors.Is(request.Kind, lease.ErrForbidden)
	writes := d.Action == Acquire
	refused := denied && writes || errors.Is(err, lease.ErrNoNamespace) || errors.Is(err, lease.ErrRejected)
	if writes && !refused {
		c.tries.refused = retry.Refusals{}
	}
	c.fresh, c.view = false, c.view.Doubt()
	most := timing.RetryPeriod
	if !c.view.Record().Exists() && !errors.Is(err, lease.ErrUnauthorized) { // the wait for a lease duration has still to begin
		most = min(most, retry.Most)
	}
	c.tries = c.tries.failed(c.self, now, most)
	switch {
	case errors.Is(err, lease.ErrUnversioned) && !c.tries.acquired:
		return c, Hopeless
	case denied && request.Verb == "create":
		c.tries.retryAt, c.tries.createAt = Instant{}, now.Add(timing.RetryPeriod+c.self.Draw(timing.RetryPeriod))
		if d.Seat { // which does not wait its turn to create
			c.tries.retryAt = c.tries.createAt
		}
		return c, Denied
	case refused:
		return c.refusal(now)
	case errors.Is(err, lease.ErrConflict):
		c.manners.crowd = c.manners.crowd.lost()
		if d.Seat { // the watch may show that it still is ours; a read could not
			c.tries.retryAt = now.Add(timing.RetryPeriod / 4)
		}
		if c.tries.conflicts++; c.tries.conflicts > fewConflicts {
			return c, Contested
		}
		return c, Faster
	case errors.Is(err, ErrUnheard):
		c.manners.courteous = true
		return c, Unanswered
	case errors.Is(err, lease.ErrEpochExhausted):
		c.tries.retryAt = now.Add(timing.RetryPeriod)
		return c, Exhausted
	}
	return c, Outage
}

// refusal takes in a refusal that only a person can fix. It ends Run if it was there when Run
// began and lasts for a lease duration. Otherwise it is an outage like others, because permissions
// flicker while API servers restart.
func (c *Candidate) refusal(now Instant) (*Candidate, Verdict) {
	var first bool
	c.tries.refused, first = c.tries.refused.Refused(now, c.self.Timing.LeaseDuration)
	switch {
	case !c.tries.acquired && c.tries.refused.Never(c.leave.began, c.self.Timing.LeaseDuration):
		return c, Hopeless
	case first:
		return c, FirstRefused
	}
	return c, Refused
}

func (t tries) failed(self *Self, now Instant, most time.Duration) tries {
	t.failures++
	t.retryAt = now.Add(retry.Backoff(self.Draw, int(t.failures), most))
	return t
}
