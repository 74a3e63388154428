package singleton

import (
	"context"
	"errors"
	"fmt"
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
	case <-r.observer.news:
		r.observeShared()
	case <-r.eligible:
		r.fresh = false
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
	d := lease.Decide(r.view, now, r.fresh)
	d = r.listen(r.reseat(d, now), now)
	if d.Action == lease.Wait {
		return d
	}
	notBefore := *r.holdUntil.Load()
	if d.Action == lease.Create { // with that the wait for everybody begins: it is no candidacy
		notBefore = lease.Instant{}
	}
	later := func(at lease.Instant) {
		if at.After(notBefore) {
			notBefore = at
		}
	}
	later(now.Add(time.Until(r.retryAt)))
	switch free := r.view.FreeAt(); {
	case r.vanished != nil:
	case d.Action == lease.Create:
		later(now.Add(time.Until(r.createAt)))
	case r.courteous:
		later(free.Add(courtesy))
	case !free.After(now):
		later(free.Add(r.crowd.turn))
	}
	switch {
	case r.ineligible.Load():
		return lease.Decision{Action: lease.Wait, Why: "not eligible"}
	case notBefore.After(now):
		return lease.Decision{Action: lease.Wait, At: notBefore, Why: "standing back"}
	}
	return d
}

// courtesy is how much later than others a replica tries that has reason to let
// them go first.
const courtesy = 200 * time.Millisecond

// reseat lets the holder whose Lease vanished take it at once, vacant: its work
// has returned, and until its old term would have run out nobody else can have
// started.
func (r *run) reseat(d lease.Decision, now lease.Instant) lease.Decision {
	if r.vanished == nil {
		return d
	}
	record := r.view.Record()
	switch {
	case !r.vanished.ValidUntil(r.config.timing()).After(now), // too late
		r.held.Holder() != r.vanished.Record.Holder() || r.held.Term() != r.vanished.Token.Term, // somebody held it since: after a restore
		record.Exists() && !record.Vacant() && record.UID() != r.vanished.Record.UID(),          // there is another
		r.fresh && record.UID() == r.vanished.Record.UID():                                      // a restore brought it back
		r.vanished = nil
	case d.Action == lease.Confirm:
	case record.UID() == r.vanished.Record.UID(): // we have heard of the loss, the view has not
		d = lease.Decision{Action: lease.Confirm, Why: reseated}
	case record.Vacant():
		d = lease.Decision{Action: lease.Acquire, Why: reseated}
	}
	return d
}

const reseated = "our own lease was deleted"

// listen has a standby that waits for a claim to run out look again when it has
// heard nothing for longer than a live holder is silent: connections die without
// a word, and a wait counts from what was last seen.
func (r *run) listen(d lease.Decision, now lease.Instant) lease.Decision {
	if d.Action != lease.Wait || d.At.IsZero() {
		return d
	}
	switch at := r.view.Last().At.Add(r.silence); {
	case !at.After(now):
		return lease.Decision{Action: lease.Confirm, Why: "nothing heard for a while"}
	case d.At.After(at):
		d.At = at
	}
	return d
}

// silenceLeast is for how many RetryPeriods nothing may be heard of a holder;
// up to one more is random, so that standbys do not all look at once.
const silenceLeast = 2

// attempt carries a decision out. It returns nothing if standing by goes on.
func (r *run) attempt(d lease.Decision) (*lease.Claim, error) {
	switch d.Action {
	case lease.Confirm:
		return nil, r.settle(r.confirm())
	case lease.Create:
		return nil, r.settle(r.create())
	}
	r.resigning.Store(false)
	r.setState(StateAcquiring, nil)
	claim, err := r.acquire()
	if err != nil {
		return nil, r.settle(err)
	}
	r.acquired, r.vanished, r.courteous, r.crowd = true, nil, false, crowd{}
	r.failures, r.refused = 0, time.Time{}
	r.outage.over()
	r.see(claim.Record)
	if resigned := r.resigning.Swap(false); resigned || r.ineligible.Load() || r.ctx.Err() != nil { // meanwhile
		if resigned {
			r.holdOff()
		}
		if err := r.release(claim); err != nil {
			r.log.Warn("lease not released, it will expire", "error", err)
		}
		return nil, nil
	}
	r.log.Info("acquired", "why", d.Why, "token", claim.Token.String(), "source", claim.Source)
	return &claim, nil
}

// confirm looks at the Lease afresh. What the watch shows meanwhile is taken in
// first: a List that was sent before a restore can be answered after it.
func (r *run) confirm() error {
	var seen lease.Observation
	var err error
	answered := make(chan struct{})
	r.helpers.Go(func() {
		defer close(answered)
		seen, err = r.lock.List(r.ctx)
	})
	asked := r.view.Last().At
	for waiting := true; waiting; {
		select {
		case o := <-r.observer.seen:
			r.observe(o)
		case <-r.observer.news:
			r.observeShared()
		case <-answered:
			waiting = false
		}
	}
	r.catchUp()
	if err != nil {
		return err
	}
	before := r.view
	r.observe(seen)
	overtaken := before.Last().At != asked && r.view.Last().At != seen.At
	r.fresh = !overtaken
	if before.Known() && before.FreeAt() != r.view.FreeAt() {
		r.observer.renew() // it should have told us
	}
	return nil
}

// catchUp takes in what the watch has shown by now.
func (r *run) catchUp() {
	for {
		select {
		case o := <-r.observer.seen:
			r.observe(o)
		case <-r.observer.news:
			r.observeShared()
		default:
			return
		}
	}
}

func (r *run) create() error {
	record, err := r.lock.Create(r.ctx)
	if err == nil {
		r.see(record)
	}
	return err
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
		protect(func() error {
			in.Floor, err = r.config.Floor(ctx)
			return wrap("asking Config.Floor", err)
		}, func(e error) { err = e })
		if err != nil {
			return lease.Claim{}, err
		}
	}
	// Shutting down does not cut the write: its outcome has to be known.
	return r.lock.Acquire(context.WithoutCancel(r.ctx), r.view.Last(), in)
}

// settle decides what an attempt's outcome means: nil to go on standing by.
func (r *run) settle(err error) error {
	if err == nil {
		return nil
	}
	if isPanic(err) {
		return err
	}
	if r.ctx.Err() != nil {
		return nil
	}
	r.fresh = false
	r.view = r.view.Doubt()
	r.failures++
	request, _ := errors.AsType[*lease.RequestError](err)
	most := r.config.RetryPeriod
	if !r.view.Record().Exists() { // the wait for a lease has still to begin
		most = min(most, retryMost)
	}
	r.retryAt = time.Now().Add(backoff(r.ctx, r.failures, most))
	denied := errors.Is(err, lease.ErrForbidden)
	switch {
	case denied && request.Verb == "create":
		if !r.createSaid {
			r.createSaid = true
			r.log.Warn("the lease does not exist and creating it is not allowed: waiting for it", "verb", request.Verb, "error", err)
		}
		r.retryAt, r.createAt = time.Time{}, time.Now().Add(r.config.LeaseDuration)
	case denied && request.Verb == "update", errors.Is(err, lease.ErrNoNamespace), errors.Is(err, lease.ErrRejected):
		return r.refusal(err)
	case errors.Is(err, lease.ErrConflict): // somebody was faster; the watch is about to say who
		r.crowd.lost()
	case errors.Is(err, lease.ErrUnheard):
		r.courteous = true
		r.outage.failed(err)
	case errors.Is(err, lease.ErrEpochExhausted):
		r.log.Error("cannot acquire the lease: lower the number by hand", "error", err)
		r.retryAt = time.Now().Add(r.config.RetryPeriod)
	default:
		r.outage.failed(err)
	}
	return nil
}

// refusal of a write that only somebody's hand can mend ends Run if it was there
// when Run began and stays for a lease. Otherwise it is an outage like others:
// permissions flicker while API servers restart.
func (r *run) refusal(err error) error {
	if r.refused.IsZero() {
		r.refused = time.Now()
		r.log.Error("cannot acquire the lease", "error", err)
	}
	fromTheStart := !r.acquired && r.refused.Sub(r.began) < r.config.LeaseDuration
	if fromTheStart && time.Since(r.refused) >= r.config.LeaseDuration {
		return r.pointless(err)
	}
	r.outage.failed(err)
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
