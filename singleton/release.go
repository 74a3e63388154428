package singleton

import (
	"context"
	"errors"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/lease"
)

// release gives the Lease up, trying as often as it takes while the term is
// valid.
func (r *run) release(claim lease.Claim) error {
	left := r.config.clock.Until(claim.ValidUntil(r.config.timing()))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), left)
	defer cancel()
	for failures := 1; ; failures++ {
		err := r.lock.Release(ctx, claim)
		again := errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrConflict)
		if !again || ctx.Err() != nil {
			return err
		}
		r.pause(ctx, retry.Backoff(chance.Of(ctx), failures, retry.Most))
	}
}
