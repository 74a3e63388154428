package singleton

import (
	"context"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/lookout"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/lease"
)

// run is one call of Elector.Run: the loop, and the only owner of its fields.
// States are functions; the loop moves between them by their returning:
//
//	warm -> standby -> acquiring -> active -> draining -> standby
//
// Acquiring is a part of standby, and active and draining are parts of term.
// What they decide is said by two values, [lease.Candidate] and [lease.Tenure]; they all wait by
// the one function wait.
type run struct {
	*Elector
	ctx  context.Context
	work Work

	source    *lookout.Source
	hooks     *hookRunner
	helpers   sync.WaitGroup // watch, warm-up, work and requests
	candidate *lease.Candidate
	reign     *reign // nil: there is no term, and none is acquired
	wiring    wiring
	tell      outage.Teller
}

func newRun(ctx context.Context, e *Elector, work Work) *run {
	e.lock.Wall = chance.Wall(ctx)
	self := &lease.Self{Identity: e.config.Identity, Timing: e.config.timing(), Draw: chance.Of(ctx)}
	now := e.config.clock.Now()
	r := &run{
		Elector: e, ctx: ctx, work: work,
		source: lookout.New(e.lock, e.config.SharedWatch.share(), e.config.Logger), hooks: newHooks(),
		candidate: lease.NewCandidate(self, e.candidate, now), wiring: wiring{began: now},
		tell: outage.Teller{Log: e.config.Logger},
	}
	e.candidate = nil
	return r
}

// run is the whole of Elector.Run. A *PanicError travels as an error until
// everything is cleaned up.
func (r *run) run() error {
	err := r.loop()
	r.Elector.candidate = r.candidate
	r.setState(StateStopped, nil)
	r.hooks.wait()
	select {
	case panicked := <-r.hooks.bad:
		if !isPanic(err) {
			err = panicked
		}
	default:
	}
	if isPanic(err) {
		panic(err)
	}
	return err
}

func (r *run) loop() error {
	ctx, stop := context.WithCancel(r.ctx)
	defer r.source.Start(ctx, &r.helpers)()
	defer r.helpers.Wait()
	defer stop()

	if err := r.warm(); err != nil {
		return err
	}
	for r.ctx.Err() == nil {
		acquired, err := r.standby()
		if err != nil {
			return err
		}
		if !acquired {
			break // ctx ended
		}
		if done, err := r.term(); done {
			return err
		}
	}
	return nil
}

// warm runs Config.WarmUp while observations are taken in.
func (r *run) warm() error {
	if r.config.WarmUp == nil {
		return nil
	}
	r.setState(StateWarming, nil)
	warmed := make(chan error, 1)
	r.helpers.Go(func() {
		protect(func() error { return wrap("warm up", r.config.WarmUp(r.ctx)) }, func(err error) { warmed <- err })
	})
	var bad error
	for {
		switch e := r.wait(lease.Instant{}, hears{ended: warmed, hopeless: r.source.Hopeless(), panicked: r.hooks.bad}); e.kind {
		case ended:
			err := e.err
			if r.ctx.Err() != nil && !isPanic(err) {
				err = nil
			}
			if bad != nil {
				return bad
			}
			return err
		case hopeless:
			bad = r.pointless(e.err)
		case panicked:
			bad = e.err
		}
	}
}

// kind of an [event].
type kind int

const (
	due       kind = iota // the time has come
	observed              // the Lease was seen
	ended                 // what the loop waits for is done
	answered              // to a write of the term
	returned              // work
	raising               // somebody wants to raise the epoch
	cancelled             // the work's context
	lost                  // the term
	stopping              // Run's context ended
	hopeless              // the Lease may not be read
	panicked              // a hook
	eligible              // that changed
)

// event is what the loop waited for.
type event struct {
	kind    kind
	answer  *answer
	outcome outcome
	raise   raiseRequest
	err     error
}

// hears are the channels that only some states listen to. Nil ones are never ready.
type hears struct {
	ended     <-chan error
	answers   <-chan *answer
	returned  <-chan outcome
	raises    <-chan raiseRequest
	cancelled <-chan struct{}
	lost      <-chan struct{}
	stopping  <-chan struct{}
	hopeless  <-chan error
	panicked  <-chan *PanicError
	eligible  <-chan struct{}
}

// wait returns the next event, or the event due once it is at; a zero at is never. Whatever the
// state, it first hands on what was seen of the Lease, which may have a renewal sent. The loop
// waits here only, but for the request of a release and, at its end, for helpers and hooks.
func (r *run) wait(at lease.Instant, h hears) event {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(0, r.config.clock.Until(at)))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-r.source.News():
		r.look()
		return event{kind: observed}
	case <-timer:
		return event{kind: due}
	case err := <-h.ended:
		return event{kind: ended, err: err}
	case a := <-h.answers:
		return event{kind: answered, answer: a}
	case out := <-h.returned:
		return event{kind: returned, outcome: out}
	case request := <-h.raises:
		return event{kind: raising, raise: request}
	case <-h.cancelled:
		return event{kind: cancelled}
	case <-h.lost:
		return event{kind: lost}
	case <-h.stopping:
		return event{kind: stopping}
	case err := <-h.hopeless:
		return event{kind: hopeless, err: err}
	case err := <-h.panicked:
		return event{kind: panicked, err: err}
	case <-h.eligible:
		return event{kind: eligible}
	}
}

// during runs f, which makes a request that ends in time, and observes the Lease until f has
// returned.
func (r *run) during(f func(context.Context)) {
	done := make(chan error)
	r.helpers.Go(func() {
		defer close(done)
		f(r.ctx)
	})
	for r.wait(lease.Instant{}, hears{ended: done}).kind != ended {
	}
	r.look()
}

// pause takes in what is seen of the Lease for a while, or until ctx ends.
func (r *run) pause(ctx context.Context, d time.Duration) {
	until := r.config.clock.Now().Add(d)
	for r.wait(until, hears{stopping: ctx.Done()}).kind == observed {
	}
}

// look takes in what the watch has shown by now.
func (r *run) look() {
	for _, seen := range r.source.Take() {
		r.observe(seen)
	}
}

// observe takes in what was seen of the Lease. A term of ours judges it too.
func (r *run) observe(o lease.Observation) {
	outdated := r.candidate.View().Outdated(o) // from a cache that is ahead of its store
	r.know(o)
	if !outdated && r.reign != nil && r.reign.term != nil {
		r.perform(r.reign.observe(o, r.config.clock.Now(), r.updating()))
	}
}

// know takes an observation in and tells of a new holder.
func (r *run) know(o lease.Observation) {
	r.become(r.candidate.Observe(o, r.config.clock.Now()))
}
