package lease

import (
	"context"
	"errors"
	"fmt"
)

// Raise lifts the term's epoch above mark, if the term still stands with the epoch it
// had. Like a renewal it tests the term and no version, so it may run beside
// renewals, and prolongs the term. The returned claim carries the new token as soon
// as it may be on the Lease, also when the answer was lost: go on with it.
func (l *Lock) Raise(ctx context.Context, c Claim, mark int64) (Claim, error) {
	if mark < c.Token.Epoch {
		return c, &FieldError{Field: "mark", Value: mark, Rule: fmt.Sprintf("must not be below the term's epoch %d", c.Token.Epoch)}
	}
	if mark >= maxEpoch {
		return c, fmt.Errorf("%w: a guard's mark is %d, above the greatest epoch %d", ErrEpochExhausted, mark, int64(maxEpoch))
	}
	// From here on the term may carry the new epoch on the Lease, whatever the
	// answer: no later write may carry the old one.
	had := c
	c.Token.Epoch = mark + 1
	sent := l.Clock.Now()
	stored, err := l.lift(ctx, c, had.Token.Epoch)
	if err == nil && c.holds(stored) {
		c.Record, c.Sent = stored, sent
		return c, nil
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		return c, err
	}
	return l.repair(ctx, c, conflict("patch", "raising the epoch was overtaken"), func(r Record) error {
		if c.holds(r) { // it was written all the same
			return nil
		}
		return had.Standing(r)
	})
}

// Release gives the Lease up. Call it only after the term's work has returned,
// and with a context that ends when the claim's validity does. It writes
// nothing unless the record is still this term's: then the error is a
// [*LostError], and there is nothing to give up. An epoch raised by hand stays.
func (l *Lock) Release(ctx context.Context, c Claim) error {
	release := func(swap swapper) error {
		_, err := swap(ctx, c.Record, l.released(c), l.Timing.RequestTimeout())
		return err
	}
	err := l.insist(ctx, &c, c.releasable, release(l.swap), release)
	if lost, ok := errors.AsType[*LostError](err); ok && lost.Record.Released() && lost.Record.Term() == c.Token.Term {
		return nil // an earlier write of ours landed, its answer did not
	}
	return err
}
