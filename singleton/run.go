package singleton

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/lease"
)

// createSpread keeps the standbys that see a Lease vanish from all creating it.
const createSpread = 100 * time.Millisecond

// run is one call of Elector.Run: the loop, and the only owner of its fields.
// States are functions; the loop moves between them by their returning:
//
//	warm -> standby -> (acquire) -> active -> draining -> standby
type run struct {
	*Elector
	ctx  context.Context
	work Work
	log  *slog.Logger

	observer *observer
	hooks    *hookRunner
	helpers  sync.WaitGroup // observer, warm-up, work and requests

	view      lease.View
	fresh     bool // the view's last observation is a List made to decide on
	acquired  bool // a write was allowed before
	admitted  bool // a term of this Run was taken by all fences
	courteous bool // others are to go first when the Lease comes free
	retryAt   time.Time
	failures  int           // attempts in a row
	conflicts int           // acquires in a row that met another write
	silence   time.Duration // after which the watch is not relied on
	began     time.Time
	refused   streak        // of writes
	unfit     streak        // fences say that they are wired to something else
	createAt  time.Time     // the missing Lease is not to be created before
	took      time.Duration // the last write that was acknowledged
	crowd     crowd
	told      *Holder // the one OnHolder was last told of

	tell teller
}

// fewConflicts in a row are somebody who was faster.
const fewConflicts = 5

func newRun(ctx context.Context, e *Elector, work Work) *run {
	period := e.config.RetryPeriod
	e.lock.Wall = chance.Wall(ctx)
	r := &run{
		Elector: e, ctx: ctx, work: work, log: e.config.Logger,
		observer: newObserver(e),
		hooks:    newHooks(),
		tell:     teller{log: e.config.Logger},
		silence:  silenceLeast*period + chance.N(ctx, period),
		began:    time.Now(),
	}
	if e.view != nil {
		r.view = *e.view
	}
	return r
}

// run is the whole of Elector.Run. A *PanicError travels as an error until
// everything is cleaned up.
func (r *run) run() error {
	err := r.loop()
	last := r.view
	r.Elector.view = &last
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
	defer r.observer.start(ctx, &r.helpers)()
	defer r.helpers.Wait()
	defer stop()

	if err := r.warm(); err != nil {
		return err
	}
	for r.ctx.Err() == nil {
		k, err := r.standby()
		if err != nil {
			return err
		}
		if k == nil {
			break // ctx ended
		}
		if done, err := r.term(k); done {
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
		select {
		case seen := <-r.observer.seen:
			r.observe(seen)
		case <-r.observer.news:
			r.observeShared()
		case err := <-r.observer.bad:
			bad = r.pointless(err)
		case err := <-r.hooks.bad:
			bad = err
		case err := <-warmed:
			if r.ctx.Err() != nil && !isPanic(err) {
				err = nil
			}
			return cmp.Or(bad, err)
		}
	}
}

// observeShared takes in what a shared watch saw.
func (r *run) observeShared() {
	for _, seen := range r.observer.take() {
		r.observe(seen)
	}
}

// observe takes in what was seen and tells the hook of a new holder.
func (r *run) observe(o lease.Observation) {
	before := r.view
	r.view = r.view.Observe(o, r.config.LeaseDuration)
	r.fresh = false
	if before.FreeAt() != r.view.FreeAt() { // a change: what failed before may not now
		r.failures, r.retryAt = 0, time.Time{}
		r.crowd.next(r.ctx)
	}
	if !r.view.Record().Exists() && (before.Record().Exists() || !before.Known()) {
		r.createAt = time.Now().Add(chance.N(r.ctx, createSpread))
	}
	record := r.view.Record()
	if record.Exists() {
		r.tell.over(creating)
	}
	if record.Holder() != "" && record.Holder() != r.config.Identity { // that is who was faster
		r.conflicts = 0
		r.tell.over(contesting)
	}
	holder := Holder{Identity: record.Holder(), Self: record.Holder() == r.config.Identity}
	holder.Token, _ = record.Token()
	now := *r.status.Load()
	if now.observed && now.holder == holder && before.Record().Exists() == record.Exists() {
		return
	}
	now.holder, now.observed, now.missing = holder, true, !record.Exists()
	now.found = now.found || record.Exists()
	r.status.Store(&now)
	switch {
	case !record.Exists() && now.found: // somebody deleted it
		r.log.Warn("the lease does not exist")
	case !record.Exists():
		r.log.Info("the lease does not exist")
	case holder.Identity == "":
		r.log.Info("nobody holds the lease")
	default:
		r.log.Info("holder seen", "holder", holder.Identity, "epoch", holder.Token.Epoch)
	}
	if r.told != nil && *r.told == holder {
		return
	}
	r.told = &holder
	if hook := r.config.Hooks.OnHolder; hook != nil {
		r.hooks.push(queuedHook{call: func() { hook(holder) }, holder: true})
	}
}

// setState publishes a state and its term.
func (r *run) setState(s State, t *Term) {
	now := *r.status.Load()
	if now.state == s && now.term == t {
		return
	}
	now.state, now.term, now.since, now.overrun = s, t, time.Now(), false
	now.observed = now.observed && s != StateStopped
	now.found = now.found && s != StateStopped
	r.status.Store(&now)
}

// holdOff keeps this replica from acquiring for a while.
func (r *run) holdOff() {
	until := r.config.clock.Now().Add(r.config.HoldOff)
	r.holdUntil.Store(&until)
}

// isPanic tells a panic on its way to Run from an error that work returned and
// that may wrap one.
func isPanic(err error) bool {
	_, is := err.(*PanicError) //nolint:errorlint // see above
	return is
}

// protect calls f, a function of the user's, and then done with its error. A
// panic, or a runtime.Goexit (which nothing on that goroutine survives), is
// passed to done as a *PanicError.
func protect(f func() error, done func(error)) {
	err := error(nil)
	returned := false
	defer func() {
		if !returned {
			value := recover()
			if value == nil {
				value = "runtime.Goexit was called"
			}
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		done(err)
	}()
	err = f()
	returned = true
}
