package singleton

import (
	"context"
	"errors"
)

// outcome of a term's work.
type outcome struct {
	acquired bool // OnAcquire was called, or there is none
	started  bool // work was called
	err      error
}

// cause is why the term ended, if work was over before the term's context ended.
func (o *outcome) cause() *EndError {
	switch {
	case isPanic(o.err):
		return &EndError{Reason: ReasonPanicked, Err: o.err}
	case o.started:
		return &EndError{Reason: ReasonReturned, Err: o.err}
	case undecided(o.err):
		return &EndError{Reason: ReasonUnavailable, Err: o.err}
	default:
		return &EndError{Reason: ReasonRefused, Err: o.err}
	}
}

// unfinished reports whether something that work started may still be running.
func (o *outcome) unfinished() bool { return o.started && errors.Is(o.err, ErrUnfinished) }

// startWork announces the token, calls OnAcquire and runs work, on one goroutine. The channel gets
// the outcome.
func (r *run) startWork(t *Term) <-chan outcome {
	done := make(chan outcome, 1)
	r.helpers.Go(func() {
		var out outcome
		protect(func() error {
			if err := announce(t.ctx, t); err != nil {
				return err
			}
			if !t.Valid() || t.ctx.Err() != nil { // announcing may take long
				return context.Cause(t.ctx)
			}
			out.acquired = true
			if err := r.onAcquire(t); err != nil {
				return err
			}
			if !t.Valid() || t.ctx.Err() != nil {
				return context.Cause(t.ctx)
			}
			r.keepAnnouncing(t)
			out.started = true
			t.progressed()
			t.working.Store(true)
			return r.work(t.ctx, t)
		}, func(err error) {
			out.err = err
			done <- out
		})
	})
	return done
}

// onAcquire calls the hook in its turn. If the hook panics, err is the *PanicError.
func (r *run) onAcquire(t *Term) (err error) {
	hook := r.config.Hooks.OnAcquire
	if hook == nil {
		return nil
	}
	<-r.hooks.push(queuedHook{call: func() {
		protect(func() error { hook(t.ctx, t); return nil }, func(e error) { err = e })
	}})
	return err
}
