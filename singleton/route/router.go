package route

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/retry"
	"github.com/hotseat-go/hotseat/singleton"
)

// Router gives the traffic to the active replica. Make one with [ByLabel] or [BySlice]. Its methods
// are safe for concurrent use.
type Router struct {
	way       way
	options   Options
	published atomic.Bool
}

// way of directing traffic. Each call is of one term, which is the same until withdraw. A way has
// no state of its own.
type way interface {
	// settle takes the traffic from earlier terms. If open, it also publishes this replica's address.
	// It may be called again, and then mends what has changed.
	settle(ctx context.Context, t term, own fencing.Token, open bool) error
	// withdraw takes the address away, or marks it as draining.
	withdraw(ctx context.Context, own fencing.Token, drain bool) error
	String() string
}

// term is what a Router needs of a *singleton.Term.
type term interface {
	Token() fencing.Token
	Valid() bool
	StopBudget() time.Duration
	Resign()
}

const (
	firstPause = 50 * time.Millisecond // after a failure
	lastPause  = 2 * time.Second
)

// Work returns work that directs the traffic to this replica while it runs. Publishing begins when
// work is called, on a goroutine of its own. When the context of work ends, or work returns or
// panics, the address is withdrawn (Options.AtEnd). The function that Work returned waits for the
// withdrawal before it returns, for three quarters of the stop budget at most. The Lease is
// released only after that.
//
// With a gate of singleton/serving, run the gate's work around this one: the gate is then open
// before the traffic comes.
//
//	elector.Run(ctx, gate.Work(router.Work(work)))
func (r *Router) Work(work singleton.Work) singleton.Work {
	return func(ctx context.Context, term *singleton.Term) error {
		ctx, ready := withReady(ctx)
		if !r.options.AwaitReady {
			ready.tell()
		}
		stop := r.begin(ctx, term, ready)
		defer stop()
		return work(ctx, term)
	}
}

// Published reports whether this replica's address is published, as far as the Router knows. It
// makes no request.
func (r *Router) Published() bool { return r.published.Load() }

// begin publishes until ctx ends or the function that it returns is called. That function returns
// when the address is withdrawn.
func (r *Router) begin(ctx context.Context, t term, ready *readiness) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	p := &publication{Router: r, term: t, own: t.Token(), ready: ready}
	var running sync.WaitGroup
	running.Go(func() { p.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// publication is what a Router does in one term. It belongs to one goroutine.
type publication struct {
	*Router
	term  term
	own   fencing.Token // as at the start: a raise changes the epoch, but not what the marks say
	ready *readiness

	sent   bool  // a request that publishes may have been sent
	failed error // what was told last; nil since it went well
}

func (p *publication) run(ctx context.Context) {
	defer p.end(ctx)
	for failures := 0; ; {
		open := p.ready.told()
		p.sent = p.sent || open
		err := p.way.settle(ctx, p.term, p.own, open)
		if ctx.Err() != nil || errors.Is(err, errOver) {
			return
		}
		pause, again := p.options.Recheck, p.ready.done
		if open {
			again = nil
		}
		p.note(err, open)
		switch {
		case err == nil:
			failures = 0
		case kindOf(err) != nil && p.options.Required:
			p.options.Logger.Error("giving the term up: the traffic cannot come here", "error", err)
			p.term.Resign()
			<-ctx.Done()
			return
		case kindOf(err) == nil:
			pause = retry.After(ctx, failures, firstPause, lastPause)
			failures++
		}
		select {
		case <-time.After(pause):
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// note takes in how it went.
func (p *publication) note(err error, open bool) {
	published := err == nil && open
	was := p.published.Swap(published || p.published.Load() && kindOf(err) == nil)
	switch {
	case err != nil:
		p.tell("cannot direct the traffic to this replica", err)
	case published && !was:
		p.options.Logger.Info("the traffic comes here", "by", p.way.String(), "token", p.own.String())
	case p.failed != nil:
		p.options.Logger.Info("directing the traffic works again", "by", p.way.String())
	}
	if err == nil {
		p.failed = nil
	}
}

// tell tells of a failure, unless it is of the kind that was told last.
func (p *publication) tell(what string, err error) {
	news := p.failed == nil || !errors.Is(kindOf(err), kindOf(p.failed))
	p.failed = err
	if !news {
		return
	}
	level := slog.LevelWarn
	if kindOf(err) != nil {
		level = slog.LevelError
	}
	//nolint:sloglint // the callers pass literals
	p.options.Logger.Log(context.Background(), level, what, "by", p.way.String(), "error", err)
	if p.options.OnError != nil {
		p.options.OnError(err)
	}
}

// end withdraws. ctx has ended.
func (p *publication) end(ctx context.Context) {
	p.published.Store(false)
	atEnd := p.options.AtEnd
	if !p.sent || atEnd == Leave {
		return
	}
	// A quarter of the budget is left for what is around this work.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.term.StopBudget()*3/4)
	defer cancel()
	for failures := 0; ; failures++ {
		err := p.way.withdraw(ctx, p.own, atEnd == Drain && p.term.Valid())
		switch {
		case err == nil:
			p.options.Logger.Info("the traffic no longer comes here", "by", p.way.String())
			return
		case ctx.Err() != nil || kindOf(err) != nil:
			p.tell("cannot withdraw: the next active replica will do it", err)
			return
		}
		retry.Pause(ctx, retry.After(ctx, failures, firstPause, lastPause))
	}
}

const (
	// rounds is how often a conflict, such as the kubelet's writes make, is met by another look.
	rounds     = 10
	roundPause = 5 * time.Millisecond
)

// repeat calls round until it is done.
func repeat(ctx context.Context, round func() (done bool, err error)) error {
	for range rounds {
		done, err := round()
		if done {
			return err
		}
		if retry.Pause(ctx, roundPause); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errBusy
}

// errBusy: something else writes the same objects all the time, or refuses a patch for its content.
var errBusy = errors.New("route: each write met another one, or its condition failed")
