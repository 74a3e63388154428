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

// GuardError is an announcement that one of Config.Guards did not take. Err
// says why, for errors.Is: the guard refused the token (fencing.ErrStale and
// ErrConflict: it has seen a later one; ErrScope, ErrWiring, ErrMissing and
// ErrMalformed: it is wired to something else), or did not decide (fencing.ErrUnavailable, and
// every error that is not of package fencing).
type GuardError struct {
	Guard int           // its index in Config.Guards
	Token fencing.Token // that was announced
	At    time.Time     // when it was answered, or given up
	Err   error
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("announcing %v to Guards[%d]: %v", e.Token, e.Guard, e.Err)
}

// Unwrap returns Err.
func (e *GuardError) Unwrap() error { return e.Err }

// guardErrors are those in err, of the guards that did not take a token.
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

// announced takes in how an announcement to all guards went, for Status and the
// metrics. That its caller's time was over says nothing of a guard.
func (e *Elector) announced(ctx context.Context, err error) {
	if err == nil {
		e.guard.Store(nil)
	}
	for _, failure := range guardErrors(err) {
		if ctx.Err() == nil {
			e.guard.Store(failure)
			e.metrics.guardFailed(fencing.KindOf(failure))
		}
	}
}

// refused reports whether a guard refused the token for another term's.
func refused(err error) bool {
	return anyGuard(err, fencing.Kind.Refused)
}

// anyGuard reports whether the error of one of the guards in err is of such a kind.
func anyGuard(err error, such func(fencing.Kind) bool) bool {
	return slices.ContainsFunc(guardErrors(err), func(e *GuardError) bool { return such(fencing.KindOf(e)) })
}

// undecided reports whether err, of an announcement, is no refusal of any guard.
func undecided(err error) bool {
	return !anyGuard(err, func(kind fencing.Kind) bool { return !kind.Undecided() })
}

// unfit reports whether a guard says in err that no epoch of this elector would
// please it: only another wiring does.
func unfit(err error) bool {
	return anyGuard(err, fencing.Kind.Miswired)
}

// guardLevel is how loudly a guard's failure is logged.
func guardLevel(err error) slog.Level {
	if unfit(err) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// wiring is what a Run knows of whether its guards are those of this Lease.
type wiring struct {
	began    protocol.Instant
	admitted bool           // a term was taken by all
	unfit    retry.Refusals // they say that they are wired to something else
}

// miswired returns the error that ends Run if its guards have taken no token
// from the start, for a lease duration, because they are wired to something else. Once
// they took one, it is their side that changed, and that is waited out.
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
