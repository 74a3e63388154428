package singleton

import (
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// errNotNow: the Lease changed while Config.Fencing.Floor was asked.
var errNotNow = errors.New("the Lease can no longer be taken")

// acquire takes over the Lease as it was last seen. It returns once a write of the new term is
// acknowledged.
func (r *run) acquire(d protocol.Decision) error {
	r.resigning.Store(false)
	r.setState(StateAcquiring, nil)
	var floor int64
	var err error
	if r.config.Fencing.Floor != nil { // Floor may take long, so decide anew afterwards
		if floor, err = r.floor(); err != nil {
			return err
		}
		if err := r.confirm(); err != nil {
			return err
		}
		if d = r.next(); d.Action != protocol.Acquire {
			return errNotNow
		}
	}
	view, vacantSince := r.candidate.View(), r.lastSign
	from := view.Last() // a later change shows in the answer to the write
	inputs := protocol.EpochInputs{
		Remembered: view.Epoch(), ResourceVersion: view.Newest(), Floor: floor,
	}
	claim, err := r.lock.Claim(from, inputs)
	if err != nil {
		return err
	}
	claim.Published.Identity = r.witness.own
	r.reign = newReign(r.ctx, r.candidate.Take(claim, from.Record))
	if err := r.acquiring(); err != nil {
		r.reign.cancel()
		r.reign = nil
		return err
	}
	vacant := time.Duration(0)
	if !vacantSince.IsZero() {
		vacant = r.config.Replica.clock.Since(vacantSince)
	}
	r.metrics.started(d, r.reign.tenure.Claim(), vacant)
	r.acquired(d)
	return nil
}

// acquiring takes in answers to the term's writes until one is acknowledged.
func (r *run) acquiring() error {
	g, clock := r.reign, r.config.Replica.clock
	// Each write whose answer is lost keeps the others out for another lease duration. Once one has
	// passed, another may hold the Lease. A write that is answered then must not begin a term: an edit
	// may have put back what the first one wrote.
	timing := r.config.Timing
	giveUp := clock.Now().Add(timing.RenewDeadline + min(timing.RetryPeriod, timing.StopBudget()))
	hear := hears{answers: g.answers, stopping: r.ctx.Done()}
	var noAnswer error
	r.perform(g.next(clock.Now(), r.updating()))
	for {
		switch e := r.wait(sooner(g.tenure.Due(), giveUp), hear); e.kind {
		case onDue:
			if !giveUp.After(clock.Now()) {
				return r.noAnswer(noAnswer)
			}
			r.perform(g.next(clock.Now(), r.updating()))
		case onAnswered:
			step := g.answered(e.answer, clock.Now())
			switch {
			case step.Prolonged:
				r.perform(step)
				return nil
			case step.Failed != nil:
				return step.Failed
			case step.NoAnswer != nil:
				noAnswer = step.NoAnswer
				r.candidate = r.candidate.NoAnswer()
			}
		case onStopping: // wait a little for the outcome of the write
			hear.stopping = nil
			giveUp = sooner(giveUp, clock.Now().Add(timing.RequestTimeout()))
		}
		if r.candidate.Beaten(g.tenure) {
			return &lease.RequestError{
				Verb: "patch", Kind: lease.ErrConflict, Err: errors.New("another candidate was faster"),
			}
		}
	}
}

// noAnswer is the error of an acquire that was not answered in time.
func (r *run) noAnswer(err error) error {
	switch {
	case r.candidate.View().Record().Term() == r.reign.tenure.Claim().Token.Term:
		return fmt.Errorf("%w within %v", protocol.ErrUnheard, r.config.Timing.RenewDeadline)
	case err == nil:
		err = &lease.RequestError{
			Verb: "patch", Kind: lease.ErrUnavailable,
			Err: fmt.Errorf("no answer within %v", r.config.Timing.RenewDeadline),
		}
	}
	return err
}

// acquired takes in that a term has begun.
func (r *run) acquired(d protocol.Decision) {
	r.wiring.rehearse = func() {} // it was allowed
	claim := r.reign.tenure.Claim()
	r.become(r.candidate.Acquired(r.reign.tenure, r.config.Replica.clock.Now()))
	for _, topic := range []outage.Topic{
		outage.StandingBy, outage.Taking, outage.Contesting, outage.Numbering,
	} {
		r.tell.Over(topic)
	}
	r.tellFallback()
	if d.Dead {
		r.metrics.witnessed(evidenceUsed)
	}
	r.config.Logger.Info("acquired",
		"reason", d.Why, "token", claim.Token.String(), "source", claim.Source)
}

func sooner(a, b protocol.Instant) protocol.Instant {
	if a.IsZero() || !b.IsZero() && a.After(b) {
		return b
	}
	return a
}
