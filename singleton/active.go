package singleton

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// term holds the Lease from its acquisition until work has returned and the
// Lease is released, lost, or left to expire. done says that Run is over.
func (r *run) term(k *keeper) (done bool, err error) {
	t := newTerm(context.WithoutCancel(r.ctx), &r.config, k.claim)
	t.announced = r.announced
	k.term = t
	dog := guardTerm(t)
	r.setState(StateActive, t)   // before work, which may resign at once
	if r.resigning.Swap(false) { // while it was acquired: Resign saw no term
		t.Resign()
	}
	if r.ineligible.Load() {
		t.Resign()
	}
	r.metrics.started(k.claim)
	worker := r.startWork(t)
	out := r.active(k, worker)
	if out == nil {
		r.setState(StateDraining, t)
		out = r.draining(k, worker)
	}
	dog.stop()
	return r.finish(k, out)
}

// active keeps the term until its context ends; then it returns nil. If work
// returned before, it returns the outcome.
func (r *run) active(k *keeper, w *worker) *outcome {
	for {
		select {
		case <-k.term.ctx.Done():
			return nil
		case <-r.ctx.Done():
			k.term.end(&EndError{Reason: ReasonShutdown})
		case out := <-w.done:
			return &out
		case panicked := <-r.hooks.bad:
			k.term.end(&EndError{Reason: ReasonPanicked, Err: panicked})
		case seen := <-r.observer.seen:
			k.observed(seen)
		case <-r.observer.news:
			for _, seen := range r.observer.take() {
				k.observed(seen)
			}
		case <-k.due.C:
			k.again()
		case a := <-k.answers:
			k.answered(a)
		case request := <-k.term.raises:
			k.ask(request)
		}
	}
}

// draining waits for work to return. It keeps renewing while the term is ours:
// the Lease must not be free before work has stopped.
func (r *run) draining(k *keeper, w *worker) *outcome {
	limit := time.NewTimer(r.config.DrainLimit)
	defer limit.Stop()
	overrun := limit.C
	lost := k.term.lost
	for {
		select {
		case out := <-w.done:
			return &out
		case <-lost:
			lost = nil
			k.due.Stop()
			k.cancel()
			timer := time.NewTimer(max(0, min(0, k.term.left())+r.config.timing().StopBudget()))
			defer timer.Stop()
			overrun = timer.C
		case <-overrun:
			r.overran(k.term)
		case seen := <-r.observer.seen:
			k.observed(seen)
		case <-r.observer.news:
			for _, seen := range r.observer.take() {
				k.observed(seen)
			}
		case <-k.due.C:
			k.again()
		case a := <-k.answers:
			k.answered(a)
		case request := <-k.term.raises:
			k.ask(request)
		}
	}
}

func (r *run) overran(t *Term) {
	now := *r.status.Load()
	if now.overrun { // it was told
		return
	}
	now.overrun = true
	r.status.Store(&now)
	r.metrics.overran()
	if t.Valid() {
		r.log.Error("work has not returned within Config.DrainLimit: the lease is kept for it, and no other replica can start",
			"token", t.Token().String(), "drain_limit", r.config.DrainLimit, "cause", t.cause())
	} else {
		r.log.Error("work has not returned within its stop budget: another replica may start beside it",
			"token", t.Token().String(), "stop_budget", r.config.timing().StopBudget(), "cause", t.cause())
	}
	if hook := r.config.Hooks.OnOverrun; hook != nil {
		r.hooks.overrun(func() { hook(t) })
	}
}

// finish gives up what is left of a term whose work has returned.
func (r *run) finish(k *keeper, out *outcome) (done bool, err error) {
	t := k.term
	switch {
	case t.ctx.Err() != nil:
	case !t.Valid() && !isPanic(out.err): // work looked before the watchdog did
		t.end(t.expired(*t.until.Load()))
	default:
		t.end(out.cause())
	}
	cause := t.cause()
	valid := t.Valid()
	t.finish() // from here on nothing may be written in its name
	k.stop(valid)
	r.metrics.ended(cause.Reason)
	r.logEnd(t, cause, out.err)
	if out.acquired && r.config.Hooks.OnLose != nil {
		r.hooks.push(queuedHook{call: func() { r.config.Hooks.OnLose(t, cause) }})
	}
	switch {
	case valid, k.fenced:
		if err := r.release(k.claim); err != nil {
			r.log.Warn("the release of the lease is not confirmed: if it did not arrive, the lease will expire", "error", err)
		}
	case cause.Reason == ReasonDeleted, cause.Reason == ReasonCleared,
		cause.Reason == ReasonTaken && cause.Holder == r.config.Identity: // an earlier term of ours, put back
		r.view = r.view.Vacated(k.claim.ValidUntil(r.config.timing()))
	}
	switch {
	case cause.Reason == ReasonFenced: // somebody wants this replica out
		r.courteous = true
	case !cause.lost() && cause.Reason != ReasonShutdown:
		r.holdOff()
	}
	switch {
	case isPanic(out.err):
		return true, out.err
	case cause.Reason == ReasonPanicked: // a hook
		return true, cause.Err
	case cause.Reason == ReasonReturned:
		return true, out.err
	}
	err = r.miswired(out)
	return err != nil, err
}

// logEnd says why a term is over, and what work returned if nobody else will be
// told.
func (r *run) logEnd(t *Term, cause *EndError, workErr error) {
	level := slog.LevelWarn
	switch cause.Reason {
	case ReasonResigned, ReasonShutdown, ReasonReturned:
		level = slog.LevelInfo
	case ReasonRefused:
		level = fenceLevel(cause)
	}
	args := []any{"token", t.Token().String(), "cause", cause.Error()}
	if workErr != nil && !errors.Is(workErr, context.Canceled) && cause.Reason != ReasonRefused && cause.Reason != ReasonUnavailable {
		level = slog.LevelWarn
		args = append(args, "work_error", workErr)
	}
	r.log.Log(r.ctx, level, "term over", args...)
}
