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

// announceTries bounds how often a term raises its epoch before it gives up:
// each guard may hold a higher mark than the one before.
const announceTries = 3

// announce tells every guard of t's token, side by side. A guard that holds a higher mark,
// or the same epoch of another term, although the Lease is still ours, shows
// that the API server went back in time: the epoch is raised above it
// (Config.Fencing.MaxRaise) and announced again, to all.
func announce(ctx context.Context, t *Term) error {
	err := announceAbove(ctx, t)
	t.announced(ctx, err)
	return err
}

func announceAbove(ctx context.Context, t *Term) error {
	for try := 1; ; try++ {
		err := announceOnce(ctx, t)
		mark := highestMark(err, t.Token().Scope)
		switch {
		case err == nil || isPanic(err) || mark.IsZero() || try == announceTries:
			return err
		case !t.outranked(mark): // by ourselves: raised meanwhile
			continue
		case t.config.Fencing.MaxRaise == 0:
			return err
		}
		switch liftErr := t.lift(ctx, mark.Epoch); {
		case errors.Is(liftErr, errRaising): // which announces by itself
			return liftErr
		case liftErr != nil:
			return errors.Join(err, liftErr)
		}
	}
}

// announceOnce tells all guards side by side. The error joins a *GuardError of each
// that did not take the token; the *PanicError of one that panicked comes alone.
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

// highestMark is the highest one of that scope which guards refused a token for.
func highestMark(err error, scope string) (highest fencing.Token) {
	for _, failure := range guardErrors(err) {
		if _, mark := fencing.Refusal(failure); mark.Scope == scope && mark.Epoch > highest.Epoch {
			highest = mark
		}
	}
	return highest
}

// announceTo tells one guard. What it refuses is this caller's to judge, not a
// report about the work.
func announceTo(ctx context.Context, guard fencing.Guard, token fencing.Token, t *Term) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timing.RenewDeadline)
	defer cancel()
	return guard.Announce(fencing.WithReporter(ctx, nil), token)
}

// outranked reports whether a mark refuses the term's token as it is now.
func (t *Term) outranked(mark fencing.Token) bool {
	order, err := fencing.Compare(t.Token(), mark)
	return order < 0 || errors.Is(err, fencing.ErrConflict)
}

// refused is told of what guards refuse to the work (fencing.Report), and ends
// the term if that was its token. A raise outdates the token that a write under
// way carries; such a refusal does not mean the term.
func (t *Term) refused(err error) {
	presented, mark := fencing.Refusal(err)
	own := t.Token()
	if presented.Scope == own.Scope && presented.Term == own.Term && t.outranked(mark) {
		t.end(&EndError{Reason: ReasonRefused, Err: err})
	}
}

// keepAnnouncing tells the guards of the token again, on a goroutine of its own
// that ends with the work's context, so that a guard whose own store went back
// hears of the current term again:
//
//   - AnnouncePeriod after the last time, and
//   - when a renewal is acknowledged after one was not, since what cut this
//     replica off may have hit the guards too.
//
// One announcement runs at a time, so there is at most one per acknowledged
// renewal. A guard that cannot be reached, or says that it is wired to something
// else, is tried at the next of these times; one that holds another term's mark,
// with nothing to raise, ends the term.
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

// wait returns when the guards are to be told again; false once there is nothing
// to tell them.
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

// reconnect has the guards told again, without waiting.
func (t *Term) reconnect() {
	select {
	case t.reconnected <- struct{}{}:
	default:
	}
}
