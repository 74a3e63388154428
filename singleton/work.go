package singleton

import (
	"context"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// worker is the goroutine of one term: announce the token, tell the hook, work.
type worker struct {
	done chan outcome // buffered
}

// outcome of a term's work.
type outcome struct {
	acquired bool // OnAcquire was called, or would have been
	started  bool // work was called
	err      error
}

// cause is why a term ended whose context had not when its work was over.
func (o *outcome) cause() *EndError {
	switch {
	case isPanic(o.err):
		return &EndError{Reason: ReasonPanicked, Err: o.err}
	case o.started:
		return &EndError{Reason: ReasonReturned, Err: o.err}
	default:
		return &EndError{Reason: ReasonRefused, Err: o.err}
	}
}

func (r *run) startWork(t *Term) *worker {
	w := &worker{done: make(chan outcome, 1)}
	r.helpers.Go(func() {
		var out outcome
		protect(func() error {
			if err := announce(t.ctx, t); err != nil {
				return err
			}
			if !t.Valid() || t.ctx.Err() != nil { // announcing took its time
				return context.Cause(t.ctx)
			}
			out.acquired = true
			if err := r.onAcquire(t); err != nil {
				return err
			}
			if !t.Valid() || t.ctx.Err() != nil {
				return context.Cause(t.ctx)
			}
			out.started = true
			return r.work(t.ctx, t)
		}, func(err error) {
			out.err = err
			w.done <- out
		})
	})
	return w
}

// onAcquire calls the hook in its turn; its panic is the term's.
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

// announceTries bounds how often a term raises its epoch before it gives up:
// each fence may hold a higher mark than the one before.
const announceTries = 3

// announce tells every fence of t's token. A fence that holds a higher mark,
// or the same epoch of another term, although the Lease is still ours, shows
// that the API server went back in time: the epoch is raised above it
// (Config.MaxRaise) and announced again, to all.
func announce(ctx context.Context, t *Term) error {
	for try := 1; ; try++ {
		mark, err := announceOnce(ctx, t)
		if err == nil || mark == 0 || try == announceTries || t.config.MaxRaise == 0 {
			return err
		}
		if liftErr := t.lift(ctx, mark); liftErr != nil {
			return errors.Join(err, liftErr)
		}
	}
}

// announceOnce returns the mark above ours that a fence refused the token for,
// 0 if it was for anything else.
func announceOnce(ctx context.Context, t *Term) (mark int64, err error) {
	token := t.Token()
	for i, fence := range t.config.Fences {
		err := advance(ctx, fence, token, t)
		if err == nil {
			continue
		}
		var stale *fencing.StaleError
		var conflict *fencing.ConflictError
		switch {
		case errors.As(err, &stale):
			mark = stale.HighWater.Epoch
		case errors.As(err, &conflict):
			mark = conflict.HighWater.Epoch
		}
		return mark, fmt.Errorf("announcing %v to Fences[%d]: %w", token, i, err)
	}
	return 0, nil
}

func advance(ctx context.Context, fence fencing.Guard, token fencing.Token, t *Term) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.RenewDeadline)
	defer cancel()
	return fence.Advance(ctx, token)
}
