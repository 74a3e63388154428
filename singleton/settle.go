package singleton

import (
	"errors"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/lease"
)

// settle decides what an attempt's outcome means: nil to go on standing by.
func (r *run) settle(err error, d lease.Decision) error {
	if err == nil {
		r.settled(d)
		return nil
	}
	if isPanic(err) {
		return err
	}
	if r.ctx.Err() != nil {
		return nil
	}
	r.fresh = false
	r.failures++
	request, _ := errors.AsType[*lease.RequestError](err)
	denied := request != nil && errors.Is(request.Kind, lease.ErrForbidden)
	writes := d.Action == lease.Acquire
	refused := denied && writes || errors.Is(err, lease.ErrNoNamespace) || errors.Is(err, lease.ErrRejected)
	if writes && !refused {
		r.refused = streak{}
	}
	r.view = r.view.Doubt()
	most := r.config.RetryPeriod
	if !r.view.Record().Exists() && !errors.Is(err, lease.ErrUnauthorized) { // the wait for a lease duration has still to begin
		most = min(most, retryMost)
	}
	r.retryAt = time.Now().Add(backoff(r.ctx, r.failures, most))
	switch {
	case errors.Is(err, lease.ErrUnversioned) && !r.acquired:
		return r.pointless(err)
	case denied && request.Verb == "create":
		r.tell.failed(creating, err)
		r.retryAt, r.createAt = time.Time{}, time.Now().Add(r.config.RetryPeriod+chance.N(r.ctx, r.config.RetryPeriod))
		if d.Seat { // which does not wait its turn to create
			r.retryAt = r.createAt
		}
	case refused:
		return r.refusal(err, d)
	case errors.Is(err, lease.ErrConflict): // somebody was faster; the watch is about to say who
		r.crowd.lost()
		if d.Seat { // it may show that the seat is still ours; a read could not
			r.retryAt = time.Now().Add(r.config.RetryPeriod / 4)
		}
		if r.conflicts++; r.conflicts > fewConflicts {
			r.tell.failed(contesting, err)
		}
	case errors.Is(err, lease.ErrUnheard):
		r.courteous = true
		r.tell.failed(taking, err)
	case errors.Is(err, lease.ErrEpochExhausted):
		r.tell.failed(numbering, err)
		r.retryAt = time.Now().Add(r.config.RetryPeriod)
	default:
		r.tell.failed(failing(d), err)
	}
	return nil
}

// settled is for an attempt that went well.
func (r *run) settled(d lease.Decision) {
	switch {
	case d.Action == lease.Create:
		r.tell.over(taking)
	case r.view.Record().Holder() != "" && r.view.FreeAt().After(r.config.clock.Now()): // somebody is there
		r.tell.moot(taking)
	}
	r.tell.over(standingBy)
}

// failing is what an attempt that failed shows to be out of order.
func failing(d lease.Decision) topic {
	if d.Action == lease.Acquire || d.Action == lease.Create {
		return taking
	}
	return standingBy
}

// refusal of a write that only somebody's hand can mend ends Run if it was there
// when Run began and stays for a lease duration. Otherwise it is an outage like
// others: permissions flicker while API servers restart.
func (r *run) refusal(err error, d lease.Decision) error {
	now := time.Now()
	if r.refused.hit(now, r.config.LeaseDuration) {
		r.log.Error("cannot acquire the lease", "error", err)
	}
	fromTheStart := !r.acquired && r.refused.first.Sub(r.began) < r.config.LeaseDuration
	if fromTheStart && now.Sub(r.refused.first) >= r.config.LeaseDuration {
		return r.pointless(err)
	}
	r.tell.failed(failing(d), err)
	return nil
}

// streak is a run of equal answers, with nothing else in between.
type streak struct{ first, last time.Time }

// hit adds an answer to the streak, which begins anew if the last one is long ago:
// nobody asked in the meantime. It reports whether it began now.
func (s *streak) hit(now time.Time, lease time.Duration) (began bool) {
	if s.first.IsZero() || now.Sub(s.last) > 2*lease {
		s.first, began = now, true
	}
	s.last = now
	return began
}
