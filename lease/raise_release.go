package lease

import (
	"context"
	"errors"
	"fmt"
)

// Raise lifts the term's epoch above mark, if the term still stands with the epoch it
// had. Like a renewal it tests the term and no version, so it may run beside
// renewals, and prolongs the term. Where nobody knows whether it arrived, the claim
// that is returned says so, in Lift: go on with it. Errors are those of [Lock.Renew].
func (l *Lock) Raise(ctx context.Context, c Claim, mark int64) (Claim, error) {
	if mark < c.Token.Epoch {
		return c, &FieldError{Field: "mark", Value: mark, Rule: fmt.Sprintf("must not be below the term's epoch %d", c.Token.Epoch)}
	}
	if mark >= maxEpoch {
		return c, fmt.Errorf("%w: a guard's mark is %d, above the greatest epoch %d", ErrEpochExhausted, mark, int64(maxEpoch))
	}
	had := c
	c.Lift = max(c.Lift, mark+1)
	sent := l.Clock.Now()
	stored, err := l.lift(ctx, c)
	switch {
	case err == nil && c.holds(stored) && c.wrote(stored, sent).Lift == 0:
		return c.wrote(stored, sent), nil
	case err != nil && refusedForGood(err):
		return had, err
	case err != nil && !errors.Is(err, ErrConflict):
		return c, err
	}
	return l.repair(ctx, c, conflict("patch", "raising the epoch was overtaken"))
}

// refusedForGood: the server says that nothing was written.
func refusedForGood(err error) bool {
	return errors.Is(err, ErrForbidden) || errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRejected)
}

// Release gives the Lease up. Call it only after the term's work has returned,
// and with a context that ends when the claim's validity does. It writes
// nothing unless the record is still this term's: then the error is a
// [*LostError], and there is nothing to give up. An epoch raised by hand stays.
//
// Once a release of the term may have arrived, none is written over any later record:
// others may have held the Lease since, and an edit may have put this term back.
func (l *Lock) Release(ctx context.Context, c Claim) error {
	release := func(swap swapper) error {
		_, err := swap(ctx, c.Record, l.released(c), l.Timing.RequestTimeout())
		if _, repeated := errors.AsType[repeatedError](err); err != nil && (repeated || errors.Is(err, ErrUnavailable)) {
			l.loose.Store(&c.Token.Term)
		}
		return err
	}
	releasable := func(r Record) error {
		if loose := l.loose.Load(); loose != nil && *loose == c.Token.Term && r.ResourceVersion() != c.Record.ResourceVersion() {
			return &LostError{Loss: LossTaken, Record: r}
		}
		return c.releasable(r)
	}
	err := l.insist(ctx, &c, releasable, release(l.swap), release)
	if lost, ok := errors.AsType[*LostError](err); ok && lost.Record.Released() && lost.Record.Term() == c.Token.Term {
		return nil // an earlier write of ours landed, its answer did not
	}
	return err
}
