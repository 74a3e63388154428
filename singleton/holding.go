package singleton

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// term holds the Lease from its acquisition until work has returned and the Lease is released,
// lost, or left to expire. done reports that Run is over.
func (r *run) term() (done bool, err error) {
	g := r.reign
	t := newTerm(context.WithoutCancel(r.ctx), &r.config, g.tenure.Claim())
	t.announced = r.announced
	g.term = t
	dog := guardTerm(t)
	r.setState(StateActive, t)   // before work, which may resign at once
	if r.resigning.Swap(false) { // Resign was called while acquiring, and saw no term
		t.Resign()
	}
	if r.stance.ineligible.Load() {
		t.Resign()
	}
	r.began(t)
	worked := r.startWork(t)
	out := r.active(worked)
	if out == nil {
		r.setState(StateDraining, t)
		out = r.draining(worked)
	}
	dog.stop()
	return r.finish(out)
}

// active keeps the term until the term's context ends, and then returns nil. If work returns first,
// active returns the outcome.
func (r *run) active(worked <-chan outcome) *outcome {
	g := r.reign
	hear := hears{
		answers: g.answers, returned: worked, raises: g.term.raises,
		cancelled: g.term.ctx.Done(), stopping: r.ctx.Done(), panicked: r.hooks.bad,
	}
	var watched stall
	for {
		var look protocol.Instant
		watched, look = r.heed(watched)
		switch e := r.wait(sooner(g.tenure.Due(), look), hear); e.kind {
		case onCancelled:
			return nil
		case onReturned:
			return &e.outcome
		case onStopping:
			hear.stopping = nil
			g.term.end(&EndError{Reason: ReasonShutdown})
		case onPanicked:
			g.term.end(&EndError{Reason: ReasonPanicked, Err: e.err})
		default:
			r.keep(e)
		}
	}
}

// draining waits for work to return. It keeps renewing while the term is ours: the Lease must not
// come free before work has stopped.
func (r *run) draining(worked <-chan outcome) *outcome {
	g, clock := r.reign, r.config.Replica.clock
	overrun := clock.Now().Add(r.config.Replica.DrainLimit)
	r.logDraining(g.term)
	g.term.mustReturn(overrun)
	hear := hears{answers: g.answers, returned: worked, raises: g.term.raises, lost: g.term.lost}
	for {
		switch e := r.wait(sooner(g.tenure.Due(), overrun), hear); {
		case e.kind == onReturned:
			return &e.outcome
		case e.kind == onLost:
			hear.lost, hear.answers = nil, nil
			g.tenure = g.tenure.End()
			g.cancel()
			overrun = sooner(*g.term.until.Load(), clock.Now()).Add(r.config.Timing.StopBudget())
			g.term.mustReturn(overrun)
			if !g.term.cause().lost() { // else logDraining said it
				r.config.Logger.Warn("the term was lost while work drains: another replica may start soon",
					"token", g.term.Token().String(),
					"budget", max(0, clock.Until(overrun)).Round(time.Millisecond))
			}
		case e.kind == onDue && !overrun.IsZero() && !overrun.After(clock.Now()):
			overrun = protocol.Instant{}
			r.overran(g.term)
		default:
			r.keep(e)
		}
	}
}

// keep keeps the term ours, while its work runs and while it drains.
func (r *run) keep(e event) {
	switch e.kind {
	case onDue:
		r.perform(r.reign.next(r.config.Replica.clock.Now(), r.updating()))
	case onAnswered:
		r.hear(e.answer)
	case onRaising:
		r.raise(e.raise)
	}
}

func (r *run) overran(t *Term) {
	now := *r.status.Load()
	if now.overrun { // already reported
		return
	}
	now.overrun = true
	r.status.Store(&now)
	r.metrics.overran()
	if t.Valid() {
		r.config.Logger.Error("work has not returned within Config.Replica.DrainLimit:"+
			" the Lease is kept for it, and no other replica can start",
			"token", t.Token().String(), "drain_limit", r.config.Replica.DrainLimit, "cause", t.cause())
	} else {
		r.config.Logger.Error("work has not returned within its stop budget:"+
			" another replica may start beside it",
			"token", t.Token().String(), "stop_budget", r.config.Timing.StopBudget(), "cause", t.cause())
	}
	if hook := r.config.Hooks.OnOverrun; hook != nil {
		r.hooks.overrun(func() { hook(t) })
	}
}

// finish gives up what is left of a term whose work has returned.
func (r *run) finish(out *outcome) (done bool, err error) {
	g := r.reign
	t := g.term
	switch {
	case t.ctx.Err() != nil:
	case !t.Valid() && !isPanic(out.err): // work looked before the watchdog did
		t.end(t.expired(*t.until.Load()))
	default:
		t.end(out.cause())
	}
	cause := t.cause()
	valid := t.Valid()
	t.finish() // from here on the term must write nothing
	g.tenure = g.tenure.End()
	g.unfinished = out.unfinished()
	r.hearOut(valid && !g.unfinished)
	r.metrics.ended(cause.Reason)
	r.ended(t, cause)
	r.worked(t, cause)
	r.logEnd(t, cause, valid, out)
	r.leave(valid, cause)
	if hook := r.config.Hooks.OnLose; out.acquired && hook != nil {
		r.hooks.push(queuedHook{call: func() { hook(t, cause) }})
	}
	switch {
	case isPanic(out.err):
		return true, out.err
	case cause.Reason == ReasonPanicked: // a hook
		return true, cause.Err
	case cause.Reason == ReasonReturned, out.unfinished():
		return true, out.err
	case r.config.OneTerm && out.started && r.ctx.Err() == nil:
		return true, cause
	}
	err = r.miswired(out)
	return err != nil, err
}

// leave gives the Lease up, or notes that the seat may be taken back, and decides whether others go
// first.
func (r *run) leave(valid bool, cause *EndError) {
	tenure, unfinished := r.reign.tenure, r.reign.unfinished
	r.reign = nil
	r.tell.Moot(outage.Renewing) // there is nothing to renew
	r.candidate = r.candidate.Left(tenure)
	switch {
	case unfinished: // the Lease has to keep others away until it expires
	case valid, tenure.Fenced():
		claim := tenure.Claim()
		claim.Successor = cause.Successor
		if err := r.release(claim); err != nil {
			r.config.Logger.Warn("the release of the Lease is not confirmed: if it did not arrive,"+
				" standbys wait for the lease duration", "error", err)
		}
	case cause.Reason == ReasonDeleted, cause.Reason == ReasonCleared,
		// An earlier term of ours was put back.
		cause.Reason == ReasonTaken && cause.Holder == r.config.Replica.Identity:
		r.candidate = r.candidate.Vacated(tenure)
	}
	switch {
	case cause.Reason == ReasonFenced: // somebody wants another replica to be active
		r.candidate = r.candidate.Courteous()
	case !cause.lost() && cause.Reason != ReasonShutdown:
		r.candidate = r.candidate.HoldOff(r.config.Replica.clock.Now().Add(r.config.Replica.HoldOff))
	}
}

// release gives the Lease up. It tries as often as necessary while the term is valid.
func (r *run) release(claim protocol.Claim) error {
	left := r.config.Replica.clock.Until(claim.ValidUntil(r.config.Timing))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), left)
	defer cancel()
	for failures := 1; ; failures++ {
		err := r.lock.Release(ctx, claim)
		again := errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrConflict)
		if !again || ctx.Err() != nil {
			return err
		}
		r.pause(ctx, retry.Backoff(chance.Of(ctx), failures, retry.Most))
	}
}

// logDraining logs that the work's context has ended, and how long work may take to return.
func (r *run) logDraining(t *Term) {
	cause, budget := t.cause(), r.config.Replica.DrainLimit
	if !t.Valid() {
		left := r.config.Replica.clock.Until(*t.until.Load())
		budget = max(0, r.config.Timing.StopBudget()+min(0, left))
	}
	r.config.Logger.Info("waiting for work to return",
		"token", t.Token().String(), "cause", cause.Error(), "budget", budget.Round(time.Millisecond))
}

// logEnd logs why a term is over. It also logs what work returned, if nothing else reports that.
func (r *run) logEnd(t *Term, cause *EndError, valid bool, out *outcome) {
	level := slog.LevelWarn
	switch {
	case !valid: // lost, maybe while work drained
	case cause.Reason == ReasonRefused:
		level = guardLevel(cause)
	case cause.Reason == ReasonResigned, cause.Reason == ReasonShutdown,
		cause.Reason == ReasonReturned:
		level = slog.LevelInfo
	}
	args := []any{"token", t.Token().String(), "cause", cause.Error()}
	own := out.started && out.err != nil && !errors.Is(out.err, context.Canceled)
	if own && (cause.Reason != ReasonRefused || !fencing.KindOf(out.err).Refused()) {
		level = slog.LevelWarn
		args = append(args, "work_error", out.err)
	}
	r.config.Logger.Log(r.ctx, level, "term over", args...)
}
