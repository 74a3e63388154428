package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// keeper keeps a term on the Lease: it renews, carries raises out, and finds
// out when the term is over. The loop owns it; requests run one at a time on a
// goroutine that answers to the loop.
type keeper struct {
	r     *run
	term  *Term
	claim lease.Claim

	ctx    context.Context // of requests; ends with the keeper
	cancel context.CancelFunc

	due      *time.Timer // the next renewal
	busy     bool        // a request is in flight
	raising  bool        // it is a raise
	answers  chan answer // from it
	raise    *raiseRequest
	failures int
	silent   int // acknowledged renewals since the watch last said anything
}

// silentMost is after how many renewals of which the watch did not tell it is
// taken for dead. Connections die without a word.
const silentMost = 3

type answer struct {
	claim lease.Claim
	err   error
	took  time.Duration
	raise *raiseRequest // it was one
}

func (r *run) keep(t *Term, claim lease.Claim) *keeper {
	k := &keeper{r: r, term: t, claim: claim, answers: make(chan answer, 1)}
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(r.ctx))
	k.due = time.NewTimer(k.nextRenewal())
	return k
}

// nextRenewal is due RetryPeriod after the last acknowledged one was sent.
func (k *keeper) nextRenewal() time.Duration {
	return max(0, k.r.config.RetryPeriod-k.r.config.clock.Since(k.claim.Sent))
}

// renew sends a renewal, or the raise that is waiting, unless one is in flight
// or there is nothing left to renew.
func (k *keeper) renew() {
	if k.busy || k.term.over.Load() {
		return
	}
	k.busy = true
	claim, raise := k.claim, k.raise
	k.raise, k.raising = nil, raise != nil
	k.r.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, k.term.left())
		defer cancel()
		began := time.Now()
		a := answer{raise: raise}
		if raise != nil {
			a.claim, a.err = k.r.lock.Raise(ctx, claim, raise.mark)
		} else {
			a.claim, a.err = k.r.lock.Renew(ctx, claim)
		}
		a.took = time.Since(began)
		k.answers <- a
	})
}

// ask puts a raise before the next renewal.
func (k *keeper) ask(request raiseRequest) {
	if k.raise != nil {
		request.done <- errors.New("singleton: another raise is under way")
		return
	}
	k.raise = &request
	k.renew()
}

// answered takes a request's outcome in. A definite loss ends the term.
func (k *keeper) answered(a answer) {
	k.busy, k.raising = false, false
	lost, isLost := errors.AsType[*lease.LostError](a.err)
	if a.raise != nil {
		err := a.err
		if isLost {
			err = fmt.Errorf("%w: %w", ErrOver, lost)
		}
		defer func() { a.raise.done <- err }() // once the term shows the new token
	}
	switch {
	case isLost:
		k.r.metrics.renewalFailed("lost")
		k.term.lose(lossOf(lost))
		return
	case a.err != nil:
		k.claim.Token = a.claim.Token // a raise may have landed
		k.failures++
		k.r.metrics.renewalFailed(failureOf(a.err))
		k.r.log.Warn("renewal failed", "error", a.err, "valid_for", k.term.left())
		k.due.Reset(backoff(k.ctx, k.failures, k.r.config.RetryPeriod/2))
	default:
		if k.failures > 0 {
			k.term.reconnect()
		}
		k.failures = 0
		k.claim = a.claim
		k.term.extend(a.claim)
		k.r.metrics.renewed(a.took)
		k.r.see(a.claim.Record)
		if k.silent++; k.silent >= silentMost {
			k.silent = 0
			k.r.observer.renew()
		}
		k.due.Reset(k.nextRenewal())
	}
	if k.raise != nil {
		k.renew()
	}
}

// observed judges what the watch or a List showed. What is not provably newer
// than our own last write is left to the next renewal, which will meet it.
func (k *keeper) observed(o lease.Observation) {
	k.silent = 0
	k.r.observe(o)
	if !lease.Newer(o.ResourceVersion, k.claim.Record.ResourceVersion()) {
		if k.incomparable(o) {
			k.renew()
		}
		return
	}
	if lost, ok := errors.AsType[*lease.LostError](k.claim.Standing(o.Record)); ok {
		if k.raising && lost.Loss == lease.LossFenced && o.Record.Term() == k.claim.Token.Term {
			return // our own raise, seen before its answer, which will tell
		}
		k.term.lose(lossOf(lost))
		return
	}
	k.claim = k.claim.Rebase(o.Record)
}

func (k *keeper) incomparable(o lease.Observation) bool {
	known := k.claim.Record.ResourceVersion()
	return o.ResourceVersion != known && !lease.Newer(known, o.ResourceVersion)
}

// stop ends the request in flight and waits for its answer.
func (k *keeper) stop() {
	k.due.Stop()
	k.cancel()
	if k.busy {
		k.answered(<-k.answers)
		k.due.Stop()
	}
}

func failureOf(err error) string {
	for kind, name := range map[error]string{
		lease.ErrConflict: "conflict", lease.ErrForbidden: "forbidden", lease.ErrUnauthorized: "unauthorized",
		lease.ErrRejected: "rejected", lease.ErrUnavailable: "unavailable",
	} {
		if errors.Is(err, kind) {
			return name
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
