package singleton

import (
	"context"

	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
)

// rights to write the Lease.
type rights int

const (
	unasked rights = iota
	mayWrite
	mayNotWrite
)

// rehearse asks whether this replica may write the Lease, and asks again until the answer is yes
// (rule F7). A standby would otherwise learn that the right is missing when the Lease comes free.
func (r *run) rehearse(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.lock.Rehearse(ctx)
		select {
		case r.wiring.rights <- err:
		case <-ctx.Done():
			return
		}
		if err == nil {
			return
		}
		retry.Pause(ctx, r.config.Timing.LeaseDuration/2)
	}
}

// rehearsed takes in an answer. The error ends Run.
func (r *run) rehearsed(err error) error {
	var verdict protocol.Verdict
	r.candidate, verdict = r.candidate.Rehearsed(err, r.config.Replica.clock.Now())
	before := r.status.Load().rights
	switch {
	case err == nil:
		r.setRights(mayWrite)
	case verdict != protocol.Outage:
		r.setRights(mayNotWrite)
	}
	switch {
	case verdict == protocol.Hopeless:
		return r.pointless(err)
	case verdict == protocol.FirstRefused:
		r.tell.Refused(outage.Taking, err)
	case verdict == protocol.Refused:
		r.tell.Failed(outage.Taking, err)
	case err == nil && before == mayNotWrite:
		r.tell.Over(outage.Taking)
	}
	r.tellFallback()
	return nil
}

// setRights publishes whether this replica may write the Lease.
func (r *run) setRights(to rights) {
	if now := *r.status.Load(); now.rights != to {
		now.rights = to
		r.status.Store(&now)
	}
}
