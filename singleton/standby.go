package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// standby waits until the Lease may be taken and takes it. It reports false when ctx ended.
func (r *run) standby() (acquired bool, err error) {
	r.candidate = r.candidate.Standby()
	defer r.witness.rest()
	for r.ctx.Err() == nil {
		r.setState(StateStandby, nil)
		d := r.next()
		r.answer()
		switch d.Action {
		case protocol.Wait:
			if r.status.Load().observed { // until then the API server may be away
				r.wiring.rehearse()
			}
			err = r.await(sooner(d.At, r.watchHolder()))
		case protocol.Confirm:
			err = r.settle(r.confirm(), d)
		case protocol.Prove:
			err = r.settle(r.prove(), d)
		case protocol.Trace:
			err = r.settle(r.trace(), d)
		case protocol.Ask:
			r.confirmDeath()
		case protocol.Create:
			err = r.settle(r.create(), d)
		case protocol.Acquire:
			if failed := r.acquire(d); failed == nil {
				return true, nil
			} else {
				err = r.settle(failed, d)
			}
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// next says what to do now.
func (r *run) next() protocol.Decision {
	r.candidate = r.candidate.Yielding(time.Duration(r.stance.courtesy.Load()))
	return r.candidate.Next(r.config.Replica.clock.Now(), !r.stance.ineligible.Load())
}

// await returns when there may be something new to decide.
func (r *run) await(at protocol.Instant) error {
	e := r.wait(at, hears{
		stopping: r.ctx.Done(), hopeless: r.source.Hopeless(),
		panicked: r.hooks.bad, eligible: r.stance.changed, rehearsed: r.wiring.rights,
		testified: r.witness.answers,
	})
	switch e.kind {
	case onHopeless:
		return r.pointless(e.err)
	case onRehearsed:
		return r.rehearsed(e.err)
	case onPanicked:
		return e.err
	case onTestified:
		r.testified(e.testimony)
	case onDue, onEligible:
		r.candidate = r.candidate.Waited()
	}
	return nil
}

// confirm makes a fresh look at the Lease.
func (r *run) confirm() (err error) {
	var seen protocol.Observation
	r.during(func(ctx context.Context) { seen, err = r.lock.Confirm(ctx) })
	if err != nil {
		return err
	}
	next, missed := r.candidate.Confirmed(seen, r.config.Replica.clock.Now())
	r.become(next)
	if missed {
		r.source.Rewatch()
	}
	return nil
}

// prove looks at the version before the record that says that nobody is at work.
func (r *run) prove() (err error) {
	var before protocol.Record
	var looked bool
	of := r.candidate.View().Record()
	r.during(func(ctx context.Context) { before, looked, err = r.lock.Before(ctx, of) })
	if err != nil {
		return err
	}
	var unknown bool
	if r.candidate, unknown = r.candidate.Proved(of, before, looked); unknown {
		r.config.Logger.Info("nobody holds the Lease, but its previous state is not known:"+
			" waiting for a lease duration",
			"lease_duration", r.config.Timing.LeaseDuration)
	}
	return nil
}

// create creates the missing Lease.
func (r *run) create() (err error) {
	r.during(func(ctx context.Context) { err = r.lock.Create(ctx) })
	if err == nil {
		r.candidate = r.candidate.Created(r.config.Replica.clock.Now())
	}
	return err
}

// settle takes in the outcome of an attempt. It returns nil to go on standing by.
func (r *run) settle(err error, d protocol.Decision) error {
	if err == nil {
		r.settled(d)
		return nil
	}
	if isPanic(err) {
		return err
	}
	if r.ctx.Err() != nil || errors.Is(err, errNotNow) {
		return nil
	}
	var verdict protocol.Verdict
	r.candidate, verdict = r.candidate.Failed(d, err, r.config.Replica.clock.Now())
	if verdict != protocol.Faster && failing(d) == outage.Taking {
		r.metrics.notAcquired(failureOf(err))
	}
	switch verdict {
	case protocol.Faster:
	case protocol.Contested:
		r.tell.Failed(outage.Contesting, err)
	case protocol.Unanswered:
		r.tell.Failed(outage.Taking, err)
	case protocol.Exhausted:
		r.tell.Failed(outage.Numbering, err)
	case protocol.Denied:
		r.tell.Failed(outage.Creating, err)
	case protocol.Hopeless:
		return r.pointless(err)
	case protocol.FirstRefused:
		r.tell.Refused(failing(d), err)
	default:
		r.tell.Failed(failing(d), err)
	}
	return nil
}

// settled takes in an attempt that succeeded.
func (r *run) settled(d protocol.Decision) {
	view := r.candidate.View()
	switch {
	case d.Action == protocol.Create:
		r.tell.Over(outage.Taking)
	// Somebody holds the Lease.
	case view.Record().Holder() != "" && view.FreeAt().After(r.config.Replica.clock.Now()):
		r.tell.Moot(outage.Taking)
	}
	r.tell.Over(outage.StandingBy)
}

// failing is what does not work, as a failed attempt shows.
func failing(d protocol.Decision) outage.Topic {
	if d.Action == protocol.Acquire || d.Action == protocol.Create {
		return outage.Taking
	}
	return outage.StandingBy
}

// floor calls Config.Fencing.Floor. It does not wait beyond the time that Floor has.
func (r *run) floor() (floor int64, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.config.Timing.RequestTimeout())
	defer cancel()
	var answer int64
	done := make(chan error, 1)
	go protect(func() (err error) { // the user's function may not return: it is left behind then
		answer, err = r.config.Fencing.Floor(ctx)
		return wrap("asking Config.Fencing.Floor", err)
	}, func(err error) { done <- err })
	for {
		switch e := r.wait(protocol.Instant{}, hears{ended: done, stopping: ctx.Done()}); e.kind {
		case onEnded:
			return answer, e.err
		case onStopping:
			return 0, fmt.Errorf("singleton: asking Config.Fencing.Floor: %w", ctx.Err())
		}
	}
}
