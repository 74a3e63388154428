package singleton

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// keeper keeps a term on the Lease: it takes it, renews it, carries raises out, and
// finds out when it is over. The loop owns it; each request runs on a goroutine of
// its own that answers to the loop. A renewal is sent each RetryPeriod and does not
// need the answer of the one before, for which it waits a little longer only; each
// counts from its own sending.
type keeper struct {
	r     *run
	term  *Term // nil until the acquire is acknowledged
	claim lease.Claim
	from  lease.Record // what it is taken from

	ctx    context.Context // of requests; ends with the keeper
	cancel context.CancelFunc

	due      *time.Timer // the next renewal
	answers  chan answer
	inFlight int
	flights  []*flight // those of them that are no raise, in the order of sending
	lift     int64     // the epoch of a raise that is in flight; 0: none is
	fenced   bool      // the Lease still names the term, with an epoch raised by hand
	failures int
	heard    time.Time // when a request was acknowledged last
	silent   int       // acknowledged renewals since the watch last said anything
}

// flight is a request that was not answered yet.
type flight struct {
	sent   lease.Instant
	doomed bool // another one was acknowledged since
	ended  bool // by us
	cancel context.CancelFunc
}

// silentMost is after how many renewals of which the watch did not tell it is
// taken for dead. Connections die without a word.
const silentMost = 3

type answer struct {
	claim  lease.Claim
	err    error
	flight *flight
	took   time.Duration
	raise  *raiseRequest // it was one
}

// take begins to write a term over a record, as often as it takes.
func (r *run) take(claim lease.Claim, from lease.Record) *keeper {
	k := &keeper{r: r, claim: claim, from: from, answers: make(chan answer)}
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(r.ctx))
	k.send(nil, func(ctx context.Context) (lease.Claim, error) { return r.lock.Take(ctx, from, claim) })
	k.due = time.NewTimer(r.period())
	return k
}

// send has a goroutine make a request and answer to the loop. Its request ends in
// time whatever the client does (lease.Lock), and it does not outlive the keeper.
func (k *keeper) send(raise *raiseRequest, request func(context.Context) (lease.Claim, error)) {
	k.inFlight++
	ctx, cancel := context.WithCancel(k.ctx)
	f := &flight{sent: k.r.config.clock.Now(), cancel: cancel}
	if raise == nil {
		k.flights = append(k.flights, f)
	}
	k.r.helpers.Go(func() {
		defer cancel()
		a := answer{raise: raise, flight: f}
		a.claim, a.err = request(ctx)
		a.took = k.r.config.clock.Since(f.sent)
		select {
		case k.answers <- a:
		case <-k.ctx.Done():
			if raise != nil {
				raise.done <- ErrOver
			}
		}
	})
}

// landed takes in that a request was answered.
func (k *keeper) landed(a answer) {
	k.inFlight--
	k.flights = slices.DeleteFunc(k.flights, func(f *flight) bool { return f == a.flight })
}

// again is due: the next renewal, or another try to take the Lease.
func (k *keeper) again() {
	if patience := k.patience(); k.term != nil && patience > 0 {
		k.due.Reset(patience)
		return
	}
	k.due.Reset(k.r.period())
	claim, from := k.claim, k.from
	switch {
	case k.term == nil:
		k.send(nil, func(ctx context.Context) (lease.Claim, error) { return k.r.lock.Ensure(ctx, from, claim) })
	case k.term.over.Load(): // there is nothing left to renew
	case k.lift != 0 && k.term.left() > max(k.r.config.RenewDeadline/2, 2*k.r.took): // a raise is a renewal too
	case k.inFlight > 0 && k.r.lock.PatchRefused() != nil: // it would be in the way of the one before
	default:
		k.unanswered()
		k.send(nil, func(ctx context.Context) (lease.Claim, error) { return k.r.lock.Renew(ctx, claim) })
	}
}

// unanswered tells of renewals that nobody answers, while there is time left: they fail
// when the term is over.
func (k *keeper) unanswered() {
	if silent := time.Since(k.heard); k.inFlight > 0 && silent > k.r.config.RenewDeadline/2 {
		k.r.metrics.renewalFailed(failureOf(lease.ErrUnavailable))
		k.r.tell.failed(renewing, fmt.Errorf("%w: no answer for %v", lease.ErrUnavailable, silent.Round(time.Millisecond)), "valid_for", k.term.left())
	}
}

var errRaising = errors.New("singleton: another raise is under way")

// ask carries a raise out, unless one is under way.
func (k *keeper) ask(request raiseRequest) {
	if k.lift != 0 {
		request.done <- errRaising
		return
	}
	k.lift = max(k.claim.Lift, request.mark+1)
	claim, most := k.claim, k.r.config.RenewDeadline
	if k.r.lock.PatchRefused() != nil { // then renewals wait for it
		most /= 2
	}
	k.send(&request, func(ctx context.Context) (lease.Claim, error) {
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		defer context.AfterFunc(request.ctx, cancel)()
		return k.r.lock.Raise(ctx, claim, request.mark)
	})
}

// answered takes a request's outcome in. A definite loss ends the term.
func (k *keeper) answered(a answer) {
	k.landed(a)
	lost, isLost := errors.AsType[*lease.LostError](a.err)
	if isLost && a.raise == nil && k.ours(lost) { // a renewal that met a raise of our own
		if !a.claim.Sent.After(k.claim.Sent) {
			return
		}
		isLost, a.err = false, nil
	}
	if a.raise != nil {
		k.lift = 0
		k.claim = k.claim.Unanswered(a.claim)
		err := a.err
		if isLost {
			err = fmt.Errorf("%w: %w", ErrOver, lost)
		}
		defer func() { a.raise.done <- err }() // once the term shows the new token
	}
	switch {
	case k.term.over.Load(): // nothing prolongs it any more; a release has to name the version that is left
		if a.err == nil {
			k.claim = k.claim.Acknowledged(a.claim)
		}
	case isLost:
		k.r.metrics.renewalFailed("lost")
		k.lost(lost)
	case a.err != nil && (a.flight.ended || !a.flight.sent.After(k.claim.Sent)): // one that was sent later went through, or will
	case a.err != nil:
		k.r.metrics.renewalFailed(failureOf(a.err))
		k.failures++
		k.r.tell.failed(renewing, a.err, "valid_for", k.term.left())
		k.due.Reset(backoff(k.ctx, k.failures, k.r.config.RetryPeriod/2))
	default:
		k.renewed(a)
	}
}

// lost ends the term. One whose epoch was raised by hand still has its Lease to
// release.
func (k *keeper) lost(lost *lease.LostError) {
	k.term.lose(lossOf(lost))
	k.fenced = lost.Loss == lease.LossFenced
}

// ours reports whether a loss is only the epoch that a raise of this term writes.
func (k *keeper) ours(lost *lease.LostError) bool {
	epoch, err := lost.Record.Epoch()
	return lost.Loss == lease.LossFenced && err == nil && lost.Record.Term() == k.claim.Token.Term &&
		(epoch == k.lift || k.claim.Standing(lost.Record) == nil)
}

// renewed takes in an acknowledged write.
func (k *keeper) renewed(a answer) {
	if now := time.Now(); k.failures > 0 || now.Sub(k.heard) > 2*k.r.config.RetryPeriod {
		k.term.reconnect()
	}
	k.failures, k.heard = 0, time.Now()
	k.r.tell.over(renewing)
	k.claim = k.claim.Acknowledged(a.claim)
	k.overtaken(a)
	arrived := a.raise == nil && k.claim.Token != k.term.Token() // a raise that nobody has heard of
	k.term.extend(k.claim)
	if arrived {
		k.term.reconnect()
	}
	k.r.metrics.renewed(a.took)
	k.r.tellFallback()
	k.r.see(a.claim.Record)
	if k.silent++; k.silent >= silentMost {
		k.silent = 0
		k.r.observer.renew()
	}
}

// observed judges what the watch or a List showed. What is not provably newer
// than our own last write is left to the next renewal, which will meet it.
func (k *keeper) observed(o lease.Observation) {
	if k.r.view.Outdated(o) { // a cache's, that is ahead of its store
		return
	}
	k.silent = 0
	k.r.observe(o)
	if !lease.Newer(o.ResourceVersion, k.claim.Record.ResourceVersion()) {
		if k.incomparable(o) {
			k.again()
		}
		return
	}
	if lost, ok := errors.AsType[*lease.LostError](k.claim.Standing(o.Record)); ok {
		switch {
		case k.ours(lost): // our own raise, seen before its answer, which will tell
		case o.Listed && !o.Stored: // by a cache that may be ahead of its store: a renewal will tell
			k.due.Reset(0)
			k.flights = nil
		default:
			k.lost(lost)
		}
		return
	}
	k.claim = k.claim.Rebase(o.Record)
}

func (k *keeper) incomparable(o lease.Observation) bool {
	known := k.claim.Record.ResourceVersion()
	return o.ResourceVersion != known && !lease.Newer(known, o.ResourceVersion)
}

// stop ends the requests in flight. Where the Lease is to be released it first
// hears them out for a while: a release has to name the version that they leave.
func (k *keeper) stop(release bool) {
	k.due.Stop()
	defer k.cancel()
	if !release {
		return
	}
	timing := k.r.config.timing()
	patience := time.NewTimer(min(timing.RequestTimeout(), max(0, k.r.config.clock.Until(k.claim.ValidUntil(timing)))))
	defer patience.Stop()
	for k.inFlight > 0 {
		select {
		case a := <-k.answers:
			k.answered(a)
			k.due.Stop()
		case <-patience.C:
			return
		}
	}
}

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

// tellFallback says once that the verb patch is refused, and what that costs.
func (r *run) tellFallback() {
	if err := r.lock.PatchRefused(); err != nil {
		r.tell.once(patching, err)
	}
}
