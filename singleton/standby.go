package singleton

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// standby waits until the Lease may be taken and takes it. It returns the
// claim, or none when ctx ended.
func (r *run) standby() (*lease.Claim, error) {
	r.failures, r.retryAt = 0, time.Time{}
	for r.ctx.Err() == nil {
		r.setState(StateStandby, nil)
		if d := r.next(); d.Action != lease.Wait {
			if claim, err := r.attempt(d); claim != nil || err != nil {
				return claim, err
			}
		} else if err := r.await(d.At); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// await returns when there may be something new to decide.
func (r *run) await(at lease.Instant) error {
	timer := time.NewTimer(max(0, r.config.clock.Until(at)))
	defer timer.Stop()
	due := timer.C
	if at.IsZero() {
		due = nil
	}
	select {
	case <-r.ctx.Done():
	case seen := <-r.observer.seen:
		r.observe(seen)
	case <-r.eligible:
	case <-due:
		r.fresh = false
	case err := <-r.observer.bad:
		return r.pointless(err)
	case panicked := <-r.hooks.bad:
		return panicked
	}
	return nil
}

// next is the protocol's decision, put off while this replica may not act.
func (r *run) next() lease.Decision {
	now := r.config.clock.Now()
	d := lease.Decide(r.view, r.config.Identity, now, r.fresh)
	if r.vanished != nil {
		d = r.recreate(d, now)
	}
	if d.Action == lease.Wait {
		return d
	}
	notBefore := *r.holdUntil.Load()
	later := func(t time.Time) {
		if at := now.Add(time.Until(t)); at.After(notBefore) {
			notBefore = at
		}
	}
	later(r.retryAt)
	if !r.view.Record().Exists() {
		later(r.createAt)
	}
	switch {
	case r.ineligible.Load():
		return lease.Decision{Action: lease.Wait, Why: "not eligible"}
	case notBefore.After(now):
		return lease.Decision{Action: lease.Wait, At: notBefore, Why: "standing back"}
	}
	return d
}

// recreate lets the holder whose Lease vanished create it at once: its work has
// returned, and until its old term would have run out nobody else can have
// started.
func (r *run) recreate(d lease.Decision, now lease.Instant) lease.Decision {
	const why = "our own lease was deleted"
	switch {
	case !r.vanished.ValidUntil(r.config.timing()).After(now):
		r.vanished = nil
		return d
	case !r.fresh:
		return lease.Decision{Action: lease.Confirm, Why: why}
	case r.view.Record().Exists():
		r.vanished = nil
		return d
	default:
		return lease.Decision{Action: lease.Create, Why: why}
	}
}

// attempt carries a decision out. It returns nothing if standing by goes on.
func (r *run) attempt(d lease.Decision) (*lease.Claim, error) {
	if d.Action == lease.Confirm {
		return nil, r.settle(r.confirm())
	}
	r.setState(StateAcquiring, nil)
	claim, err := r.acquire()
	if err != nil {
		return nil, r.settle(err)
	}
	r.acquired, r.vanished = true, nil
	r.see(claim.Record)
	if r.ctx.Err() != nil { // shut down meanwhile
		if err := r.release(claim); err != nil {
			r.log.Warn("lease not released, it will expire", "error", err)
		}
		return nil, nil
	}
	r.log.Info("acquired", "why", d.Why, "token", claim.Token.String(), "source", claim.Source)
	return &claim, nil
}

// confirm looks at the Lease afresh.
func (r *run) confirm() error {
	before := r.view
	seen, err := r.lock.List(r.ctx)
	if err != nil {
		return err
	}
	r.observe(seen)
	r.fresh = true
	if before.Known() && before.FreeAt() != r.view.FreeAt() {
		r.observer.renew() // it should have told us
	}
	return nil
}

// see takes in a record that an acknowledgement carried.
func (r *run) see(record lease.Record) {
	now := r.config.clock.Now()
	r.observe(lease.Observation{Record: record, Asked: now, At: now, ResourceVersion: record.ResourceVersion()})
}

func (r *run) acquire() (lease.Claim, error) {
	in := lease.EpochInputs{Remembered: r.view.Epoch()}
	if r.config.Floor != nil {
		ctx, cancel := context.WithTimeout(r.ctx, r.config.timing().RequestTimeout())
		defer cancel()
		var err error
		if in.Floor, err = r.config.Floor(ctx); err != nil {
			return lease.Claim{}, fmt.Errorf("asking Config.Floor: %w", err)
		}
	}
	// Shutting down does not cut the write: its outcome has to be known.
	return r.lock.Acquire(context.WithoutCancel(r.ctx), r.view.Last(), in)
}

// settle decides what an attempt's outcome means: nil to go on standing by.
func (r *run) settle(err error) error {
	if err == nil {
		r.failures, r.retryAt = 0, time.Time{}
		return nil
	}
	if r.ctx.Err() != nil {
		return nil
	}
	r.fresh = false
	r.view = r.view.Doubt()
	request, _ := errors.AsType[*lease.RequestError](err)
	denied := errors.Is(err, lease.ErrForbidden)
	switch {
	case denied && request.Verb == "create":
		if !r.createSaid {
			r.createSaid = true
			r.log.Warn("the lease does not exist and creating it is not allowed: waiting for it", "verb", request.Verb, "error", err)
		}
		r.createAt = time.Now().Add(r.config.LeaseDuration)
	case !r.acquired && (denied && request.Verb == "update" || errors.Is(err, lease.ErrNoNamespace) || errors.Is(err, lease.ErrRejected)):
		return r.pointless(err)
	case errors.Is(err, lease.ErrConflict):
		// Somebody was faster, and the watch is about to say who.
		r.retryAt = time.Now().Add(rand.N(2 * retryLeast))
	case errors.Is(err, lease.ErrUnheard):
		r.log.Warn("standing back for a lease", "error", err)
		r.retryAt = time.Now().Add(r.config.LeaseDuration + r.config.RetryPeriod)
	case errors.Is(err, lease.ErrEpochExhausted):
		r.log.Error("cannot acquire the lease: lower the number by hand", "error", err)
		r.retryAt = time.Now().Add(r.config.RetryPeriod)
	default:
		r.failures++
		r.retryAt = time.Now().Add(backoff(r.failures, retryMost))
		r.log.Warn("cannot reach the lease, trying again", "error", err)
	}
	return nil
}

// pointless wraps an error no retry will mend.
func (r *run) pointless(err error) error {
	return wrap(fmt.Sprintf("lease %s/%s", r.config.Namespace, r.config.Name), err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("singleton: %s: %w", what, err)
}
