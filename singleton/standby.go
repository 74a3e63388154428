package singleton

import (
	"context"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// standby waits until the Lease may be taken and takes it. It returns the keeper
// of the term, or none when ctx ended.
func (r *run) standby() (*keeper, error) {
	r.failures, r.retryAt = 0, time.Time{}
	for r.ctx.Err() == nil {
		r.setState(StateStandby, nil)
		if d := r.next(); d.Action != lease.Wait {
			if k, err := r.attempt(d); k != nil || err != nil {
				return k, err
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
	d := r.listen(lease.Decide(r.view, now, r.fresh), now)
	if d.Action == lease.Wait {
		return d
	}
	notBefore := *r.holdUntil.Load()
	reads := d.Action == lease.Confirm || d.Action == lease.Prove
	if reads || d.Seat || d.Action == lease.Create { // with a created one the wait for everybody begins: it is no candidacy
		notBefore = lease.Instant{}
	}
	later := func(at lease.Instant) {
		if at.After(notBefore) {
			notBefore = at
		}
	}
	later(now.Add(time.Until(r.retryAt)))
	switch free := r.view.FreeAt(); {
	case d.Seat || reads:
	case d.Action == lease.Create:
		later(now.Add(time.Until(r.createAt)))
	case r.courteous:
		later(free.Add(courtesy))
	case !free.After(now):
		later(free.Add(r.crowd.turn))
	}
	switch {
	case r.ineligible.Load() && !reads:
		return lease.Decision{Action: lease.Wait, Why: "not eligible"}
	case notBefore.After(now):
		return lease.Decision{Action: lease.Wait, At: notBefore, Why: "standing back"}
	}
	return d
}

// courtesy is how much later than others a replica tries that has reason to let
// them go first.
const courtesy = 200 * time.Millisecond

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
func (r *run) attempt(d lease.Decision) (*keeper, error) {
	switch d.Action {
	case lease.Confirm:
		return nil, r.settle(r.confirm(), d)
	case lease.Prove:
		return nil, r.settle(r.prove(), d)
	case lease.Create:
		return nil, r.settle(r.create(), d)
	}
	r.resigning.Store(false)
	r.setState(StateAcquiring, nil)
	k, err := r.acquire()
	if err != nil {
		return nil, r.settle(err, d)
	}
	r.acquired, r.courteous, r.crowd = true, false, crowd{}
	r.failures, r.conflicts, r.refused = 0, 0, streak{}
	r.tell.over(standingBy)
	r.tell.over(taking)
	r.tell.over(contesting)
	r.tell.over(numbering)
	r.tellFallback()
	r.see(k.claim.Record)
	r.view = r.view.Seated(k.claim.Token.Term)
	r.log.Info("acquired", "why", d.Why, "token", k.claim.Token.String(), "source", k.claim.Source)
	return k, nil
}

// confirm looks at the Lease afresh. What the watch shows meanwhile is taken in
// first: a read that was sent before a restore can be answered after it.
func (r *run) confirm() error {
	var seen lease.Observation
	var err error
	asked := r.view.Last().At
	r.during(func(ctx context.Context) { seen, err = r.lock.Confirm(ctx) })
	if err != nil {
		return err
	}
	before := r.view
	r.observe(seen)
	overtaken := before.Last().At != asked && r.view.Last().At != seen.At
	r.fresh = !overtaken
	if r.view.Last().At == before.Last().At { // it was not believed
		r.fresh = false
		r.failures++
		r.retryAt = time.Now().Add(backoff(r.ctx, r.failures, r.config.RetryPeriod))
	}
	if before.Known() && before.FreeAt() != r.view.FreeAt() {
		r.observer.renew() // it should have told us
	}
	return nil
}

// prove looks at what was there before the record that says that nobody is at work.
func (r *run) prove() error {
	var before lease.Record
	var looked bool
	var err error
	of := r.view.Record()
	r.during(func(ctx context.Context) { before, looked, err = r.lock.Before(ctx, of) })
	if err != nil {
		return err
	}
	waited := r.view.FreeAt()
	r.view = r.view.Proved(of, before, looked)
	if r.view.FreeAt() == waited && r.view.Record().ResourceVersion() == of.ResourceVersion() {
		r.log.Info("nobody holds the lease, but what was there before is not known: waiting for a lease duration", "lease_duration", r.config.LeaseDuration)
	}
	return nil
}

// create creates the missing Lease. That it is there the watch has to show: only so
// is it known that nobody held one in between.
func (r *run) create() error {
	var err error
	r.during(func(ctx context.Context) { err = r.lock.Create(ctx) })
	if err == nil {
		r.view = r.view.Doubt()
		r.retryAt = time.Now().Add(r.config.RetryPeriod / 4)
	}
	return err
}

// during takes in what the watch shows while f makes a request, which ends in time
// and soon after ctx does, and what it has shown by then.
func (r *run) during(f func(context.Context)) {
	answered := make(chan struct{})
	r.helpers.Go(func() {
		defer close(answered)
		f(r.ctx)
	})
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

// see takes in a record that an acknowledgement carried.
func (r *run) see(record lease.Record) {
	now := r.config.clock.Now()
	r.observe(lease.Observation{Record: record, Asked: now, At: now, ResourceVersion: record.ResourceVersion(), Stored: true})
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
