package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// acquire takes the Lease over as it was last seen, and returns the keeper of the
// term once a write of it is acknowledged.
func (r *run) acquire() (*keeper, error) {
	in := lease.EpochInputs{Remembered: r.view.Epoch(), ResourceVersion: r.view.Newest()}
	if r.config.Floor != nil {
		var err error
		if in.Floor, err = r.floor(); err != nil {
			return nil, err
		}
	}
	from := r.view.Last() // what is seen from here on shows in the write's answer
	claim, err := r.lock.Claim(from, in)
	if err != nil {
		return nil, err
	}
	k := r.take(claim, from.Record)
	if err := r.acquiring(k); err != nil {
		k.due.Stop()
		k.cancel()
		return nil, err
	}
	return k, nil
}

// acquiring hears the keeper's requests until one is acknowledged. Whether an
// unanswered one arrived only an answer tells, and each that does proves the term
// from its own sending on.
func (r *run) acquiring(k *keeper) error {
	// Each try that arrives unheard keeps the others out for a lease duration more.
	giveUp := time.NewTimer(r.config.RenewDeadline + r.config.RetryPeriod)
	defer giveUp.Stop()
	stopping := r.ctx.Done()
	var unheard error
	for {
		select {
		case a := <-k.answers:
			k.landed(a)
			switch {
			case a.err == nil && r.config.clock.Since(a.claim.Sent) < r.config.RenewDeadline:
				k.claim, k.heard = a.claim, time.Now()
				k.overtaken(a)
				return nil
			case a.err == nil: // too late to start on; a younger one is under way
			case !errors.Is(a.err, lease.ErrUnavailable) && !errors.Is(a.err, lease.ErrUnauthorized):
				return a.err
			default:
				unheard, r.refused = a.err, streak{}
				k.failures++
				k.due.Reset(backoff(k.ctx, k.failures, r.config.RetryPeriod))
			}
		case <-k.due.C:
			k.again()
		case <-giveUp.C:
			return r.unheard(k, unheard)
		case seen := <-r.observer.seen:
			r.observe(seen)
		case <-r.observer.news:
			r.observeShared()
		case <-stopping: // the outcome of a write should be known, for a while
			stopping = nil
			giveUp.Reset(r.config.timing().RequestTimeout())
		}
		if r.overtaken(k) {
			return &lease.RequestError{Verb: "patch", Kind: lease.ErrConflict, Err: errors.New("somebody was faster")}
		}
	}
}

// overtaken reports whether the watch shows another term where k's was to begin.
func (r *run) overtaken(k *keeper) bool {
	record := r.view.Record()
	return record.Holder() != "" && record.Term() != k.claim.Token.Term &&
		lease.Newer(record.ResourceVersion(), k.from.ResourceVersion())
}

// unheard is the error of an acquire that nobody answered in time.
func (r *run) unheard(k *keeper, err error) error {
	switch {
	case r.view.Record().Term() == k.claim.Token.Term:
		return fmt.Errorf("%w: within %v", lease.ErrUnheard, r.config.RenewDeadline)
	case err == nil:
		err = &lease.RequestError{Verb: "patch", Kind: lease.ErrUnavailable, Err: fmt.Errorf("no answer within %v", r.config.RenewDeadline)}
	}
	return err
}

// floor asks Config.Floor, and does not wait for it beyond its time.
func (r *run) floor() (int64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.config.timing().RequestTimeout())
	defer cancel()
	type answer struct {
		floor int64
		err   error
	}
	answers := make(chan answer, 1)
	go func() { // it is left behind if it does not end: it is the user's
		var a answer
		protect(func() error {
			floor, err := r.config.Floor(ctx)
			a.floor = floor
			return wrap("asking Config.Floor", err)
		}, func(err error) {
			a.err = err
			answers <- a
		})
	}()
	for {
		select {
		case a := <-answers:
			return a.floor, a.err
		case seen := <-r.observer.seen:
			r.observe(seen)
		case <-r.observer.news:
			r.observeShared()
		case <-ctx.Done():
			return 0, fmt.Errorf("singleton: asking Config.Floor: %w", ctx.Err())
		}
	}
}
