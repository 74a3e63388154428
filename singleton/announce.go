package singleton

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/outage"
)

// announceTries bounds how often one announcement raises the epoch before it gives up: each guard
// may hold a higher mark than the last.
const announceTries = 3

// announce announces t's token to every guard, concurrently. A guard may hold a higher mark, or the
// same epoch of another term, although the Lease is still ours. This shows that the API server went
// back in time. The epoch is then raised above the mark (Config.Fencing.MaxRaise) and announced
// again, to all guards.
func announce(ctx context.Context, t *Term) error {
	err := announceAbove(ctx, t)
	t.announced(ctx, t, err)
	return err
}

func announceAbove(ctx context.Context, t *Term) error {
	for try := 1; ; try++ {
		err := announceOnce(ctx, t)
		mark := highestMark(err, t.Token().Scope)
		switch {
		case err == nil || isPanic(err) || mark.IsZero() || try == announceTries:
			return err
		case !t.outranked(mark): // we raised the epoch meanwhile
			continue
		case t.config.Fencing.MaxRaise == 0:
			return err
		}
		switch liftErr := t.lift(ctx, mark.Epoch); {
		case errors.Is(liftErr, errRaising): // the other raise announces its token
			return liftErr
		case liftErr != nil:
			return errors.Join(err, liftErr)
		}
	}
}

// announceOnce announces the token to all guards, concurrently. The error joins a *GuardError for
// each guard that did not accept the token. If a guard panicked, the error is its *PanicError
// alone.
func announceOnce(ctx context.Context, t *Term) error {
	token := t.Token()
	errs := make([]error, len(t.config.Guards))
	var told sync.WaitGroup
	for i, guard := range t.config.Guards {
		told.Go(func() {
			protect(func() error { return announceTo(ctx, guard, token, t) }, func(err error) {
				if err != nil && !isPanic(err) {
					err = &GuardError{Guard: i, Token: token, At: time.Now(), Err: err}
				}
				errs[i] = err
			})
		})
	}
	told.Wait()
	if i := slices.IndexFunc(errs, isPanic); i >= 0 {
		return errs[i]
	}
	return errors.Join(errs...)
}

// highestMark is the highest mark of that scope in the guards' refusals.
func highestMark(err error, scope string) (highest fencing.Token) {
	for _, failure := range guardErrors(err) {
		if _, mark := fencing.Refusal(failure); mark.Scope == scope && mark.Epoch > highest.Epoch {
			highest = mark
		}
	}
	return highest
}

// announceTo announces to one guard. The caller judges a refusal: it says nothing about the work's
// writes.
func announceTo(ctx context.Context, guard fencing.Guard, token fencing.Token, t *Term) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timing.RenewDeadline)
	defer cancel()
	return guard.Announce(fencing.WithReporter(ctx, nil), token)
}

// outranked reports whether the mark refuses the term's current token.
func (t *Term) outranked(mark fencing.Token) bool {
	order, err := fencing.Compare(t.Token(), mark)
	return order < 0 || errors.Is(err, fencing.ErrConflict)
}

// refused gets the refusals of the work's writes (fencing.Report), and ends the term if its current
// token was refused. A raise makes the token of a write in flight outdated: such a refusal does not
// concern the term.
func (t *Term) refused(err error) {
	presented, mark := fencing.Refusal(err)
	own := t.Token()
	switch {
	case presented.Scope != own.Scope || presented.Term != own.Term || !t.outranked(mark):
	case mark.Epoch-own.Epoch < t.config.Fencing.MaxRaise: // an announcement raises above it, or work
		t.reconnect()
	default:
		t.end(&EndError{Reason: ReasonRefused, Err: err})
	}
}

// keepAnnouncing announces the token again, so that a guard that was restored from a backup learns
// the current term again. It runs on its own goroutine, which ends with the work's context. It
// announces
//
//   - AnnouncePeriod after the last announcement, and
//   - when a renewal is acknowledged after one was not: what cut this replica off may have hit the
//     guards too.
//
// One announcement runs at a time, so there is at most one per acknowledged renewal. If a guard
// cannot be reached, or says that it is miswired, it is tried again at the next of these times. If
// a guard holds another term's mark and the epoch may not be raised, the term ends.
func (r *run) keepAnnouncing(t *Term) {
	if len(r.config.Guards) == 0 {
		return
	}
	r.helpers.Go(func() {
		tell, failing := outage.Teller{Log: r.config.Logger}, false
		for t.wait(r.config.Fencing.AnnouncePeriod) {
			var err error
			protect(func() error { return announce(t.ctx, t) }, func(e error) { err = e })
			switch {
			case t.ctx.Err() != nil:
			case isPanic(err):
				t.end(&EndError{Reason: ReasonPanicked, Err: err})
			case refused(err):
				t.end(&EndError{Reason: ReasonRefused, Err: err})
			case err == nil:
				tell.Over(outage.Announcing)
			case !failing && guardLevel(err) == slog.LevelError:
				tell.Refused(outage.Announcing, err)
			default:
				tell.Failed(outage.Announcing, err)
			}
			failing = err != nil
		}
	})
}

// wait returns when the token is to be announced again. It returns false once there is nothing to
// announce.
func (t *Term) wait(period time.Duration) bool {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.reconnected:
	case <-t.ctx.Done():
	}
	return t.Valid() && t.ctx.Err() == nil
}

// reconnect asks for the token to be announced again. It does not wait.
func (t *Term) reconnect() {
	select {
	case t.reconnected <- struct{}{}:
	default:
	}
}
