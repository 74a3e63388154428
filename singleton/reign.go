package singleton

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/outage"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// reign is a term that is being acquired or held, with its requests. The loop owns the reign. Each
// request runs on its own goroutine, which sends the answer to the loop.
type reign struct {
	tenure  *protocol.Tenure
	term    *Term           // nil until the acquire is acknowledged
	ctx     context.Context // of requests; ends with the reign
	cancel  context.CancelFunc
	answers chan *answer
	ends    map[int]context.CancelFunc // of the requests that were not answered yet

	unfinished bool // what work started may still be running
}

type answer struct {
	protocol.Answer
	raise *raiseRequest // nil unless the write was a raise
}

func newReign(ctx context.Context, tenure *protocol.Tenure) *reign {
	g := &reign{tenure: tenure, answers: make(chan *answer), ends: map[int]context.CancelFunc{}}
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return g
}

// next is called when something is due.
func (g *reign) next(now protocol.Instant, updating bool) (step protocol.Step) {
	g.tenure, step = g.tenure.Updating(updating).Next(now)
	return step
}

func (g *reign) answered(a *answer, now protocol.Instant) (step protocol.Step) {
	delete(g.ends, a.ID)
	g.tenure, step = g.tenure.Answered(a.Answer, now)
	return step
}

// perform does what the step says.
func (r *run) perform(s protocol.Step) {
	g := r.reign
	for _, id := range s.End {
		g.ends[id]()
	}
	switch {
	case s.Lost != nil:
		if s.Failed != nil {
			r.metrics.renewalFailed("lost")
		}
		g.term.lose(lossOf(s.Lost))
	case s.Failed != nil:
		r.metrics.renewalFailed(failureOf(s.Failed))
		r.tell.Failed(outage.Renewing, s.Failed, "valid_for", g.term.left())
	case s.Silent > 0: // unanswered renewals fail only when the term is over: warn before that
		r.metrics.renewalFailed(failureOf(lease.ErrUnavailable))
		err := fmt.Errorf("%w: no answer for %v", lease.ErrUnavailable, s.Silent.Round(time.Millisecond))
		r.tell.Failed(outage.Renewing, err, "valid_for", g.term.left())
	}
	claim, from := g.tenure.Claim(), g.tenure.From()
	switch s.Send {
	case protocol.WriteTake:
		r.send(s.ID, nil, func(ctx context.Context) (protocol.Claim, error) {
			return r.lock.Take(ctx, from, claim)
		})
	case protocol.WriteAgain:
		r.send(s.ID, nil, func(ctx context.Context) (protocol.Claim, error) {
			return r.lock.Ensure(ctx, from, claim)
		})
	case protocol.WriteRenew:
		if g.tenure.InFlight() > 1 {
			r.metrics.overlapping.Add(1)
		}
		r.send(s.ID, nil, func(ctx context.Context) (protocol.Claim, error) {
			return r.lock.Renew(ctx, claim)
		})
	}
	if s.Announce {
		g.term.reconnect()
	}
	if s.Rewatch {
		r.source.Rewatch()
	}
}

// send makes a request on a goroutine, which sends the answer to the loop. The request ends in
// time, whatever the client does (protocol.Lock). The goroutine does not outlive the reign.
func (r *run) send(
	id int, raise *raiseRequest, request func(context.Context) (protocol.Claim, error),
) {
	g, sent := r.reign, r.config.Replica.clock.Now()
	ctx, cancel := context.WithCancel(g.ctx)
	g.ends[id] = cancel
	r.helpers.Go(func() {
		defer cancel()
		a := &answer{Answer: protocol.Answer{ID: id}, raise: raise}
		a.Claim, a.Err = request(ctx)
		a.Took = r.config.Replica.clock.Since(sent)
		select {
		case g.answers <- a:
		case <-g.ctx.Done():
			if raise != nil {
				raise.done <- g.term.ended()
			}
		}
	})
}

// hear takes in the answer to a write of the term.
func (r *run) hear(a *answer) {
	g := r.reign
	step := g.answered(a, r.config.Replica.clock.Now())
	r.perform(step)
	if step.Prolonged {
		r.prolonged(a)
	}
	if a.raise != nil { // once the term shows the new token
		if _, lost := errors.AsType[*protocol.LostError](a.Err); lost {
			a.Err = g.term.ended()
		}
		a.raise.done <- a.Err
	}
}

// prolonged takes in that a write of the term was acknowledged.
func (r *run) prolonged(a *answer) {
	g := r.reign
	r.tell.Over(outage.Renewing)
	left := g.term.left()
	// An earlier raise has arrived whose own answer is still missing.
	arrived := a.raise == nil && g.tenure.Claim().Token != g.term.Token()
	g.term.extend(g.tenure.Claim())
	if arrived {
		g.term.reconnect()
	}
	g.term.renewal.Store(int64(a.Took))
	r.metrics.renewed(a.Took, left, r.config.Timing)
	r.tellFallback()
	r.know(a.Claim.Written(r.config.Replica.clock.Now()))
}

var errRaising = errors.New("singleton: another raise is under way")

// raise carries out a raise, unless another one is under way.
func (r *run) raise(request raiseRequest) {
	g, most := r.reign, r.config.Timing.RenewDeadline
	claim := g.tenure.Claim()
	if r.updating() { // then renewals wait for it
		most /= 2
	}
	next, id, ok := g.tenure.Raise(request.mark, r.config.Replica.clock.Now())
	if !ok {
		request.done <- errRaising
		return
	}
	g.tenure = next
	r.send(id, &request, func(ctx context.Context) (protocol.Claim, error) {
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		defer context.AfterFunc(request.ctx, cancel)()
		return r.lock.Raise(ctx, claim, request.mark)
	})
}

// hearOut ends the requests in flight. If the Lease is to be released, it first waits for them for
// a while: a release has to name the version that they leave.
func (r *run) hearOut(release bool) {
	g := r.reign
	defer g.cancel()
	if !release {
		return
	}
	until := r.config.Replica.clock.Now().Add(r.config.Timing.RequestTimeout())
	until = sooner(g.tenure.ValidUntil(), until)
	for g.tenure.InFlight() > 0 {
		switch e := r.wait(until, hears{answers: g.answers}); e.kind {
		case onAnswered:
			r.hear(e.answer)
		case onDue:
			return
		}
	}
}

// updating reports whether the verb patch is refused. Writes then use update.
func (r *run) updating() bool { return r.lock.PatchRefused() != nil }

// tellFallback logs once that the verb patch is refused, and what that costs.
func (r *run) tellFallback() {
	if err := r.lock.PatchRefused(); err != nil {
		r.tell.Once(outage.Patching, err)
	}
}

func failureOf(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{lease.ErrConflict, "conflict"}, {lease.ErrForbidden, "forbidden"},
		{lease.ErrUnauthorized, "unauthorized"}, {lease.ErrRejected, "rejected"},
		{lease.ErrUnavailable, "unavailable"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return "other"
}
