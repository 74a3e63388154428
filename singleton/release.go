package singleton

import (
	"context"
	"errors"

	"github.com/hotseat-go/hotseat/lease"
)

func failureOf(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{lease.ErrConflict, "conflict"}, {lease.ErrForbidden, "forbidden"}, {lease.ErrUnauthorized, "unauthorized"},
		{lease.ErrRejected, "rejected"}, {lease.ErrUnavailable, "unavailable"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return "other"
}

// release gives the Lease up, trying as often as it takes while the term is
// valid.
func (r *run) release(claim lease.Claim) error {
	left := r.config.clock.Until(claim.ValidUntil(r.config.timing()))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), left)
	defer cancel()
	for failures := 1; ; failures++ {
		err := r.lock.Release(ctx, claim)
		retry := errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrConflict)
		if !retry || ctx.Err() != nil {
			return err
		}
		pause(ctx, backoff(ctx, failures, retryMost))
	}
}

// tellFallback says once that the verb patch is refused, and what that costs.
func (r *run) tellFallback() {
	if err := r.lock.PatchRefused(); err != nil {
		r.tell.once(patching, err)
	}
}
