package protocol

import (
	"context"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/lease"
)

// Raise lifts the term's epoch above mark, if the term still stands with the epoch it had. Like a
// renewal it tests the term and no version, so it may run beside renewals, and prolongs the term.
// If it is not known whether the raise arrived, the returned claim says so, in Lift. Go on with
// that claim. The next raise settles the open one first. Errors are those of [Lock.Renew].
func (l *Lock) Raise(ctx context.Context, c Claim, mark int64) (Claim, error) {
	if mark < c.Token.Epoch {
		return c, &lease.FieldError{Field: "mark", Value: mark, Rule: fmt.Sprintf("must not be below the term's epoch %d", c.Token.Epoch)}
	}
	if mark >= maxEpoch {
		return c, fmt.Errorf("%w: a guard's mark is %d, above the greatest epoch %d", lease.ErrEpochExhausted, mark, int64(maxEpoch))
	}
	if c.Lift > 0 { // it may arrive late, but only on the epoch that it tests
		var err error
		if c, err = l.raise(ctx, c, c.Lift); err != nil || mark < c.Token.Epoch {
			return c, err
		}
	}
	return l.raise(ctx, c, mark+1)
}

func (l *Lock) raise(ctx context.Context, c Claim, to int64) (Claim, error) {
	had := c
	c.Lift = to
	sent := l.Clock.Now()
	stored, err := l.lift(ctx, c)
	switch {
	case err == nil && c.holds(stored) && c.wrote(stored, sent).Lift == 0:
		return c.wrote(stored, sent), nil
	case err != nil && notWritten(err):
		return had, err
	case err != nil && !errors.Is(err, lease.ErrConflict):
		return c, err
	}
	return l.repair(ctx, c, conflict("patch", "raising the epoch was overtaken"))
}

// notWritten: the server has refused the only copy that was sent.
func notWritten(err error) bool {
	_, repeated := errors.AsType[repeatedError](err)
	return !repeated && (errors.Is(err, lease.ErrForbidden) || errors.Is(err, lease.ErrUnauthorized) || errors.Is(err, lease.ErrRejected))
}

// Release gives the Lease up. Call it only after the term's work has returned,
// and with a context that ends when the claim's validity does. It writes
// nothing unless the record is still this term's: then the error is a
// [*LostError], and there is nothing to give up. An epoch raised by hand stays.
//
// A release that is refused may have arrived before, because a client repeats requests by itself.
// Others may then have held the Lease, and an edit may have put this term back. So a release
// replaces a later record only if that record is known to come from the claim's own through edits
// and renewals alone.
func (l *Lock) Release(ctx context.Context, c Claim) error {
	release := func(swap swapper) error {
		_, err := swap(ctx, c.Record, l.released(c), l.Timing.RequestTimeout())
		return err
	}
	releasable := func(r Record) error {
		if err := c.releasable(r); err != nil || r.ResourceVersion() == c.Record.ResourceVersion() {
			return err
		}
		return l.unbroken(ctx, c, r)
	}
	err := l.insist(ctx, &c, releasable, release(l.swap), release)
	if lost, ok := errors.AsType[*LostError](err); ok && lost.Record.Released() && lost.Record.Term() == c.Token.Term {
		return nil // an earlier write of ours landed, its answer did not
	}
	return err
}

// unbroken returns nil if each record from c's to r was of c's term.
func (l *Lock) unbroken(ctx context.Context, c Claim, r Record) error {
	for range mostEdits {
		before, looked, err := l.before(ctx, r)
		switch {
		case err != nil:
			return err
		case !looked || c.releasable(before) != nil:
			return fmt.Errorf("%w: whether others have held the Lease since is not known", errLost)
		case before.ResourceVersion() == c.Record.ResourceVersion():
			return nil
		}
		r = before
	}
	return conflict("patch", "the Lease was edited too often since")
}

// mostEdits bounds how far back unbroken looks, one LIST for each.
const mostEdits = 32
