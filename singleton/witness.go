package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/internal/retry"
)

// witness asks Config.Evidence. The loop owns it and hears the answers. Each call runs on a
// goroutine of its own, because it may hang: then it is left behind, and no further call is made
// until it has returned.
type witness struct {
	own      string           // what this process publishes; empty: not known yet
	known    chan string      // has it, once Identify has returned it
	answers  chan *answered   // buffered: to the open question
	open     *question        // nil: none
	about    string           // the term whose holder is, or was, asked about
	heard    string           // the term whose holder seems dead
	again    protocol.Instant // Await is not called before
	failures int              // in a row
}

// question about a holder.
type question struct {
	term, identity string
	dead           bool // Dead is called, else Await
	end            context.CancelFunc
	ended          bool // end was called: the answer says nothing about the holder
}

// answered is what became of a question.
type answered struct {
	*question
	proven bool
	err    error
}

func newWitness() *witness {
	return &witness{known: make(chan string, 1), answers: make(chan *answered, 1)}
}

var (
	errUnproven = errors.New("the holder seems dead, but that is not proven")
	errHangs    = errors.New("an earlier call has not returned although its context ended")
)

// identify asks Config.Evidence what identifies this process, and asks again until it knows. finish
// ends that, and the open question. It waits a while for calls to return.
func (r *run) identify(ctx context.Context) (finish func()) {
	if r.config.Evidence == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tell := outage.Teller{Log: r.config.Logger}
		for failures := 1; ctx.Err() == nil; failures++ {
			var identity string
			err := r.evidently(func() (err error) {
				if identity, err = r.config.Evidence.Identify(ctx); err == nil {
					err = publishable(identity)
				}
				return err
			})
			if err == nil {
				tell.Over(outage.Identifying)
				r.witness.known <- identity
				return
			}
			if ctx.Err() == nil {
				tell.Failed(outage.Identifying, err)
			}
			retry.Pause(ctx, retry.Backoff(chance.Of(ctx), failures, r.config.Timing.RetryPeriod))
		}
	}()
	return func() {
		r.witness.rest()
		late := time.NewTimer(r.config.Timing.RequestTimeout())
		defer late.Stop()
		ended := done
		for ended != nil || r.witness.open != nil {
			select {
			case <-ended:
				ended = nil
			case <-r.witness.answers:
				r.witness.open = nil
			case <-late.C:
				r.config.Logger.Warn("a call of Config.Evidence has not returned although its context ended")
				return
			}
		}
	}
}

// evidently calls a function of Config.Evidence. A panic counts as an error: it proves nothing.
func (r *run) evidently(f func() error) (err error) {
	protect(f, func(e error) {
		if panicked, ok := e.(*PanicError); ok { //nolint:errorlint // exactly what protect made
			e = fmt.Errorf("panic: %v\n%s", panicked.Value, panicked.Stack)
		}
		err = wrap("asking Config.Evidence", e)
	})
	return err
}

// identified takes in what identifies this process. A term that has begun publishes it from now on.
func (r *run) identified(identity string) {
	r.witness.own = identity
	if r.reign != nil {
		r.reign.tenure = r.reign.tenure.Identified(identity)
	}
	r.config.Logger.Info("evidence of this process's end can be had: publishing what identifies it",
		"evidence", identity)
}

// ask opens a question.
func (r *run) ask(q question, timeout time.Duration) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.ctx))
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(context.WithoutCancel(r.ctx), timeout)
	}
	q.end = cancel
	r.witness.open = &q
	a := &answered{question: &q}
	go func() {
		defer cancel()
		a.err = r.evidently(func() (err error) {
			if !q.dead {
				return r.config.Evidence.Await(ctx, q.identity)
			}
			a.proven, err = r.config.Evidence.Dead(ctx, q.identity)
			return err
		})
		a.proven = a.proven && a.err == nil
		r.witness.answers <- a
	}()
}

// rest ends the open question. Its answer is still to be heard.
func (w *witness) rest() {
	if w.open != nil {
		w.open.end()
		w.open.ended = true
	}
}

// watchHolder has Config.Evidence await the death of the holder that the Lease names, if another
// process published something for its term. It returns when to call it again.
func (r *run) watchHolder() (again protocol.Instant) {
	w := r.witness
	if r.config.Evidence == nil {
		return protocol.Instant{}
	}
	record := r.candidate.View().Record()
	published, ok := record.Evidence()
	ok = ok && record.Holder() != r.config.Replica.Identity
	if w.open != nil {
		if !ok || w.open.term != record.Term() || w.open.identity != published.Identity {
			w.rest()
		}
		return protocol.Instant{}
	}
	if w.about != record.Term() { // it is about another one now
		w.about, w.failures, w.again = record.Term(), 0, protocol.Instant{}
		r.tell.Moot(outage.Proving)
	}
	switch {
	case !ok || w.heard == record.Term():
	case w.again.After(r.config.Replica.clock.Now()):
		return w.again
	default:
		w.heard = ""
		r.ask(question{term: record.Term(), identity: published.Identity}, 0)
	}
	return protocol.Instant{}
}

// testified takes in what became of an open question that nobody waits for.
func (r *run) testified(a *answered) {
	w := r.witness
	w.open = nil
	current := a.term == r.candidate.View().Record().Term()
	switch {
	case a.dead || a.ended || !current:
	case a.err != nil:
		r.unproven(a.err)
	default:
		w.heard = a.term
		r.candidate = r.candidate.Suspect(a.term)
	}
}

// trace looks whether the claim of the holder, which seems dead, is the last one.
func (r *run) trace() (err error) {
	var last bool
	of := r.candidate.View().Record()
	r.during(func(ctx context.Context) { last, err = r.lock.Trace(ctx, of) })
	if err != nil {
		return err
	}
	r.become(r.candidate.Traced(of, last))
	if r.candidate.Untraced() {
		r.metrics.witnessed(evidenceUntraced)
		r.config.Logger.Warn("the holder seems dead, but another replica may have held the Lease since:"+
			" waiting for the lease duration", "holder", of.Holder())
	}
	return nil
}

// confirmDeath asks Config.Evidence whether the holder's process is dead. It does not wait for the
// answer for longer than it waits without evidence.
func (r *run) confirmDeath() {
	w, clock := r.witness, r.config.Replica.clock
	record := r.candidate.View().Record()
	published, _ := record.Evidence()
	patience := r.config.Timing.RequestTimeout()
	free := r.candidate.View().FreeAt()
	until := sooner(free, clock.Now().Add(patience))
	w.rest()
	hear := hears{stopping: r.ctx.Done(), testified: w.answers}
	for asked := false; ; {
		if w.open == nil {
			if asked {
				return
			}
			asked = true
			r.ask(question{term: record.Term(), identity: published.Identity, dead: true}, patience)
			until = sooner(free, clock.Now().Add(patience))
		}
		switch e := r.wait(until, hear); e.kind {
		case onTestified:
			w.open = nil
			if asked {
				r.judged(e.testimony, record)
			}
		case onDue:
			w.rest()
			r.unproven(errHangs)
			return
		case onStopping:
			w.rest()
			return
		}
	}
}

// judged takes in whether the holder's process is dead.
func (r *run) judged(a *answered, record protocol.Record) {
	switch {
	case a.err != nil:
		r.unproven(a.err)
	case !a.proven:
		r.unproven(errUnproven)
	default:
		r.witness.failures = 0
		r.tell.Moot(outage.Proving)
		r.become(r.candidate.Died(record.Term(), r.config.Replica.clock.Now()))
	}
}

// unproven takes in that a death is not proven. It is asked for again after a pause.
func (r *run) unproven(err error) {
	w := r.witness
	result := evidenceFailed
	if errors.Is(err, errUnproven) {
		result = evidenceUnproven
	}
	r.metrics.witnessed(result)
	r.tell.Failed(outage.Proving, err, "holder", r.candidate.View().Record().Holder())
	w.failures++
	w.heard = ""
	pause := retry.Backoff(chance.Of(r.ctx), w.failures, r.config.Timing.RetryPeriod)
	w.again = r.config.Replica.clock.Now().Add(pause)
	r.candidate = r.candidate.Suspect("")
}
