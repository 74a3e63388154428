//go:build unix

package orms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// receiver is an API with idempotency keys.
type receiver struct {
	asked   int
	charges map[string]string // by key
}

var errCrash = errors.New("crash")

// crashing sends, or crashes before the request or after it and before its answer.
func (r *receiver) crashing(before, after bool) func(context.Context, string, string) error {
	return func(_ context.Context, key, body string) error {
		if before {
			return errCrash
		}
		r.asked++
		r.charges[key] = body
		if after {
			return errCrash
		}
		return nil
	}
}

// TestOutboxCrashes: an active that crashes between its commit and the sending, or between the
// sending and the note, is followed by one that sends each payment, and none twice.
func TestOutboxCrashes(t *testing.T) {
	for name, crash := range map[string]struct{ before, after bool }{
		"between commit and sending": {before: true}, "between sending and note": {after: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			r := &receiver{charges: map[string]string{}}
			first := &outbox{s.guard, s.db, r.crashing(crash.before, crash.after)}
			require.NoError(t, first.charge(t.Context(), token(5), 1))
			require.ErrorIs(t, first.flush(t.Context(), token(5)), errCrash)

			next := &outbox{s.guard, s.db, r.crashing(false, false)}
			require.NoError(t, s.guard.Announce(t.Context(), token(6)))
			require.NoError(t, next.charge(t.Context(), token(6), 1), "it bills what it finds, again")
			require.NoError(t, next.flush(t.Context(), token(6)))
			require.Len(t, r.charges, 1)
			asked := r.asked
			require.NoError(t, next.flush(t.Context(), token(6)))
			require.Equal(t, asked, r.asked, "it is noted as sent")
		})
	}
}

// TestStaleOutbox: one that wakes up beside its successor writes nothing down. What it read before
// it may send, and the receiver knows it.
func TestStaleOutbox(t *testing.T) {
	s := newShop(t)
	r := &receiver{charges: map[string]string{}}
	require.NoError(t, (&outbox{s.guard, s.db, nil}).charge(t.Context(), token(5), 1))
	old := &outbox{s.guard, s.db, func(ctx context.Context, key, body string) error {
		// It was frozen here. The next term has sent the same.
		require.NoError(t, s.guard.Announce(ctx, token(6)))
		require.NoError(t, (&outbox{s.guard, s.db, r.crashing(false, false)}).flush(ctx, token(6)))
		return r.crashing(false, false)(ctx, key, body)
	}}
	require.ErrorIs(t, old.flush(t.Context(), token(5)), fencing.ErrStale)
	require.ErrorIs(t, old.charge(t.Context(), token(5), 1), fencing.ErrStale)
	require.Equal(t, 2, r.asked)
	require.Len(t, r.charges, 1)
}

// TestOutboxOverManyTerms: terms that crash anywhere, and in the end each invoice is charged once.
func TestOutboxOverManyTerms(t *testing.T) {
	s := newShop(t)
	r := &receiver{charges: map[string]string{}}
	const invoices = 20
	_, err := s.pool.Exec(t.Context(), fmt.Sprintf("INSERT INTO invoices SELECT n, false FROM generate_series(2, %d) n", invoices))
	require.NoError(t, err)
	crashes := 0
	epoch := int64(1)
	for done := false; !done; epoch++ {
		o := &outbox{s.guard, s.db, func(ctx context.Context, key, body string) error {
			return r.crashing(rand.IntN(10) == 0, rand.IntN(10) == 0)(ctx, key, body)
		}}
		err := s.guard.Announce(t.Context(), token(epoch))
		for id := int64(1); err == nil && id <= invoices; id++ {
			if err = o.charge(t.Context(), token(epoch), id); err == nil {
				err = o.flush(t.Context(), token(epoch))
			}
		}
		if err != nil {
			require.ErrorIs(t, err, errCrash)
			crashes++
		}
		done = err == nil
	}
	t.Logf("%d crashes, %d requests", crashes, r.asked)
	bodies := map[string]int{}
	for _, body := range r.charges {
		bodies[body]++
	}
	require.Len(t, bodies, invoices, "none is lost")
	require.Len(t, r.charges, invoices, "none is charged twice")
}
