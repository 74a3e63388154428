package singleton

import (
	"context"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/lookout"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// run is one call of Elector.Run: the loop, and the only owner of its fields. Each state is a
// function. When it returns, the loop moves to the next state:
//
//	warm -> standby -> acquiring -> active -> draining -> standby
//
// Acquiring is a part of standby, and active and draining are parts of term. Two values decide what
// they do: [protocol.Candidate] and [protocol.Tenure]. All of them wait in one function, wait.
//
// From what is seen of the Lease to the write that answers it:
//
//	internal/lookout/queue.go    put      what was seen, in order
//	singleton/loop.go            observe  shows it to the candidate and to the term
//	internal/protocol/tenure.go  Observe  judges it, and says what to do: a Step
//	singleton/reign.go           perform  does that; a request runs on a goroutine of its own
//	internal/protocol/renew.go   Renew    makes the PATCH
//
// If a Step only makes a renewal due, the loop's wait ends at once, and reign.next asks for it.
type run struct {
	*Elector
	ctx  context.Context
	work Work

	source    *lookout.Source
	hooks     *hookRunner
	helpers   sync.WaitGroup // the watch, warm-up, work and requests
	candidate *protocol.Candidate
	reign     *reign // nil: there is no term, and none is acquired
	wiring    wiring
	witness   *witness
	tell      outage.Teller
	lastSign  protocol.Instant // of a holder: its last renewal that was seen, or its release
}

func newRun(ctx context.Context, e *Elector, work Work) *run {
	e.lock.Wall = chance.Wall(ctx)
	self := &protocol.Self{
		Identity: e.config.Replica.Identity, Timing: e.config.Timing, Draw: chance.Of(ctx),
		HoldOff: e.config.Replica.HoldOff, Settle: e.config.Fencing.Settle,
	}
	now := e.config.Replica.clock.Now()
	r := &run{
		Elector: e, ctx: ctx, work: work,
		source:    lookout.New(e.lock, e.config.Replica.SharedWatch.share(), e.config.Logger),
		hooks:     newHooks(),
		candidate: protocol.NewCandidate(self, e.previous, now),
		wiring:    wiring{began: now, rights: make(chan error)},
		witness:   newWitness(),
		tell:      outage.Teller{Log: e.config.Logger},
	}
	e.previous = nil
	e.published.source.Store(r.source)
	return r
}

// run is the whole of Elector.Run. A *PanicError is passed on as an error until everything is
// cleaned up.
func (r *run) run() error {
	err := r.loop()
	r.previous = r.candidate
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
	timing := r.config.Timing
	r.config.Logger.Info("standing for election", "identity", r.config.Replica.Identity,
		"lease_duration", timing.LeaseDuration, "renew_deadline", timing.RenewDeadline,
		"retry_period", timing.RetryPeriod, "max_clock_drift", timing.MaxClockDrift,
		"stop_budget", timing.StopBudget().Round(time.Millisecond))
	ctx, stop := context.WithCancel(r.ctx)
	defer r.source.Start(ctx, &r.helpers)()
	defer r.helpers.Wait()
	defer r.identify(ctx)()
	defer stop()
	r.wiring.rehearse = func() {
		r.wiring.rehearse = func() {}
		if r.config.Replica.SharedWatch.rehearses() {
			r.helpers.Go(func() { r.rehearse(ctx) })
		} else {
			r.setRights(mayWrite)
		}
	}

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

// warm runs Config.Replica.WarmUp while observations are taken in.
func (r *run) warm() error {
	if r.config.Replica.WarmUp == nil {
		return nil
	}
	r.setState(StateWarming, nil)
	warmed := make(chan error, 1)
	r.helpers.Go(func() {
		protect(func() error { return wrap("warm up", r.config.Replica.WarmUp(r.ctx)) },
			func(err error) { warmed <- err })
	})
	var bad error
	for {
		hear := hears{ended: warmed, hopeless: r.source.Hopeless(), panicked: r.hooks.bad}
		switch e := r.wait(protocol.Instant{}, hear); e.kind {
		case onEnded:
			err := e.err
			if r.ctx.Err() != nil && !isPanic(err) {
				err = nil
			}
			if bad != nil {
				return bad
			}
			return err
		case onHopeless:
			bad = r.pointless(e.err)
		case onPanicked:
			bad = e.err
		}
	}
}

// kind of an [event].
type kind int

const (
	onDue       kind = iota // the time of the wait has come
	onObserved              // the Lease was seen
	onEnded                 // the awaited function has returned
	onAnswered              // a write of the term was answered
	onReturned              // work has returned
	onRaising               // somebody wants to raise the epoch
	onCancelled             // the work's context has ended
	onLost                  // the term is lost
	onStopping              // Run's context ended
	onHopeless              // reading the Lease is not allowed
	onPanicked              // a hook has panicked
	onEligible              // eligibility changed
	onRehearsed             // a rehearsed write was answered
	onTestified             // Config.Evidence has answered
)

// event is what the loop waited for.
type event struct {
	kind    kind
	answer  *answer
	outcome outcome
	raise   raiseRequest
	err     error

	testimony *answered
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
	rehearsed <-chan error
	testified <-chan *answered
}

// wait returns the next event. Once the time at has come, that is onDue; a zero at never comes. In
// every state, wait hands on what was seen of the Lease, and that may send a renewal. The loop
// waits here only, except for the request of a release and, at its end, for helpers and hooks.
func (r *run) wait(at protocol.Instant, h hears) event {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(0, r.config.Replica.clock.Until(at)))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-r.source.News():
		r.look()
		return event{kind: onObserved}
	case <-timer:
		return event{kind: onDue}
	case err := <-h.ended:
		return event{kind: onEnded, err: err}
	case a := <-h.answers:
		return event{kind: onAnswered, answer: a}
	case out := <-h.returned:
		return event{kind: onReturned, outcome: out}
	case request := <-h.raises:
		return event{kind: onRaising, raise: request}
	case <-h.cancelled:
		return event{kind: onCancelled}
	case <-h.lost:
		return event{kind: onLost}
	case <-h.stopping:
		return event{kind: onStopping}
	case err := <-h.hopeless:
		return event{kind: onHopeless, err: err}
	case err := <-h.panicked:
		return event{kind: onPanicked, err: err}
	case <-h.eligible:
		return event{kind: onEligible}
	case err := <-h.rehearsed:
		return event{kind: onRehearsed, err: err}
	case identity := <-r.witness.known:
		r.identified(identity)
		return event{kind: onObserved}
	case a := <-h.testified:
		return event{kind: onTestified, testimony: a}
	}
}

// during runs f, which makes a request that ends in time. It observes the Lease until f has
// returned.
func (r *run) during(f func(context.Context)) {
	done := make(chan error)
	r.helpers.Go(func() {
		defer close(done)
		f(r.ctx)
	})
	for r.wait(protocol.Instant{}, hears{ended: done}).kind != onEnded {
	}
	r.look()
}

// pause observes the Lease for that long, or until ctx ends.
func (r *run) pause(ctx context.Context, d time.Duration) {
	until := r.config.Replica.clock.Now().Add(d)
	for r.wait(until, hears{stopping: ctx.Done()}).kind == onObserved {
	}
}

// look takes in what the watch has shown by now.
func (r *run) look() {
	for _, seen := range r.source.Take() {
		r.observe(seen)
	}
}

// observe takes in what was seen of the Lease. A term of ours judges it too.
func (r *run) observe(o protocol.Observation) {
	outdated := r.candidate.View().Outdated(o) // it came from a cache that is ahead of its store
	r.know(o)
	if g := r.reign; !outdated && g != nil && g.term != nil {
		var step protocol.Step
		g.tenure, step = g.tenure.Updating(r.updating()).Observe(o, r.config.Replica.clock.Now())
		r.perform(step)
		r.handOver(o.Record)
	}
}

// know takes an observation in, and reports a new holder.
func (r *run) know(o protocol.Observation) {
	r.become(r.candidate.Observe(o, r.config.Replica.clock.Now()))
}
