package singleton

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
)

// GuardError reports an announcement that one of Config.Guards did not accept. Err says why, for
// errors.Is:
//   - fencing.ErrStale, ErrConflict: the guard refused the token, because it has seen a later one.
//   - fencing.ErrScope, ErrWiring, ErrMissing, ErrMalformed: the guard is miswired.
//   - fencing.ErrUnavailable, and every error that is not of package fencing: the guard did not
//     decide.
type GuardError struct {
	Guard int           // its index in Config.Guards
	Token fencing.Token // the announced token
	At    time.Time     // when the guard answered, or the announcement was given up
	Err   error
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("announcing %v to Guards[%d]: %v", e.Token, e.Guard, e.Err)
}

// Unwrap returns Err.
func (e *GuardError) Unwrap() error { return e.Err }

// guardErrors returns the errors in err of the guards that did not accept a token.
func guardErrors(err error) (all []*GuardError) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case nil:
	case *GuardError:
		all = append(all, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			all = append(all, guardErrors(one)...)
		}
	case interface{ Unwrap() error }:
		all = guardErrors(e.Unwrap())
	}
	return all
}

// Announcement is what all guards answered to one announcement of a token.
type Announcement struct {
	Token  fencing.Token // the announced token
	At     time.Time     // when the last guard had answered, or was given up
	Guards int           // how many there are
	Failed []*GuardError // of the guards that did not accept the token, by index; empty: all accepted
}

// Announced returns the last announcement of a term of this replica to Config.Guards. ok is false
// if there was none, or if there are no guards. Announced takes no lock and makes no request. Do
// not modify the answer.
func (e *Elector) Announced() (last Announcement, ok bool) {
	if told := e.told.Load(); told != nil {
		return *told, true
	}
	return Announcement{}, false
}

// announced records the outcome of an announcement to all guards, for Status and the metrics. If
// the caller's context has ended, the outcome says nothing about a guard.
func (e *Elector) announced(ctx context.Context, t *Term, err error) {
	failed := guardErrors(err)
	if len(e.config.Guards) > 0 && (err == nil || len(failed) > 0 && ctx.Err() == nil) {
		e.told.Store(&Announcement{
			Token: t.Token(), At: time.Now(), Guards: len(e.config.Guards), Failed: failed,
		})
	}
	if err == nil {
		e.guard.Store(nil)
	}
	for _, failure := range failed {
		if ctx.Err() == nil {
			e.guard.Store(failure)
			e.metrics.guardFailed(fencing.KindOf(failure))
		}
	}
}

// refused reports whether a guard refused the token because of another term's.
func refused(err error) bool {
	return anyGuard(err, fencing.Kind.Refused)
}

// anyGuard reports whether one of the guards' errors in err is of such a kind.
func anyGuard(err error, such func(fencing.Kind) bool) bool {
	return slices.ContainsFunc(guardErrors(err), func(e *GuardError) bool {
		return such(fencing.KindOf(e))
	})
}

// undecided reports whether no guard decided against the token in err, the error of an
// announcement.
func undecided(err error) bool {
	return !anyGuard(err, func(kind fencing.Kind) bool { return !kind.Undecided() })
}

// unfit reports whether a guard says in err that it would accept no token of this elector: only a
// change of the wiring helps.
func unfit(err error) bool {
	return anyGuard(err, fencing.Kind.Miswired)
}

// guardLevel is the level at which a guard's failure is logged.
func guardLevel(err error) slog.Level {
	if unfit(err) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// wiring is what a Run knows about what may be set up wrongly from the start: the wiring of its
// guards, and the right to write the Lease.
type wiring struct {
	began    protocol.Instant
	admitted bool           // all guards accepted a token
	unfit    retry.Refusals // guards say that they are miswired
	rehearse func()         // starts rehearsals, once
	rights   chan error     // answers to them
}

// miswired returns the error that ends Run: the guards are miswired, and have accepted no token
// since the start and for a lease duration. Once the guards have accepted a token, a later such
// error comes from a change on their side, and is waited out.
func (r *run) miswired(out *outcome) error {
	w := &r.wiring
	switch {
	case out.acquired:
		w.admitted = true
	case w.admitted:
	case !unfit(out.err):
		w.unfit = retry.Refusals{}
	default:
		w.unfit, _ = w.unfit.Refused(r.config.Replica.clock.Now(), r.config.Timing.LeaseDuration)
		if w.unfit.Never(w.began, r.config.Timing.LeaseDuration) {
			return r.pointless(out.err)
		}
	}
	return nil
}
