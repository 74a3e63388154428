package serving

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
)

// ErrNotActive: this replica is not the active one, or no longer is. So it must not serve the
// request. Ask the active replica, or try again after a second.
var ErrNotActive = errors.New("serving: this replica is not active")

// NotActiveError is ErrNotActive with what this replica knows.
type NotActiveError struct {
	State   singleton.State // of this replica; never StateActive
	Holder  string          // as last seen on the Lease; empty: nobody
	Handled bool            // the request was let in, and may have had effects
}

func (e *NotActiveError) Error() string {
	holder := "nobody holds the Lease"
	if e.Holder != "" {
		holder = fmt.Sprintf("the holder is %q", e.Holder)
	}
	if e.Handled {
		return fmt.Sprintf("%v any more (%v), %s; the request may have had effects",
			ErrNotActive, e.State, holder)
	}
	return fmt.Sprintf("%v (%v), %s", ErrNotActive, e.State, holder)
}

// Is reports whether target is ErrNotActive.
func (e *NotActiveError) Is(target error) bool { return target == ErrNotActive }

// Gate lets requests in while this replica is active and its work has started. Make one with
// [NewGate]. Its methods are safe for concurrent use.
type Gate struct {
	elector *singleton.Elector

	mu    sync.Mutex
	term  *term // nil: shut
	conns map[net.Conn]*use
}

// term is one that serves.
type term struct {
	*singleton.Term
	ctx      context.Context //nolint:containedctx // the work's, which ends when work returns, too
	requests sync.WaitGroup
}

// lasts reports whether a request may be let in, or answered.
func (t *term) lasts() bool { return t.ctx.Err() == nil && t.Valid() }

// NewGate returns a gate that is shut. It opens when elector runs the work that [Gate.Work]
// returns. elector must not be nil.
func NewGate(elector *singleton.Elector) *Gate {
	return &Gate{elector: elector, conns: map[net.Conn]*use{}}
}

// Work returns work that opens the gate while it runs. When the context of work ends, or work
// returns or panics, the gate shuts: the contexts of the requests that were let in end, and idle
// connections are closed ([Gate.ConnState]). Before the returned work ends, it waits for these
// requests. Run it with the elector of the gate. With an elector of another Lease it fails at once,
// and the error says so.
func (g *Gate) Work(work singleton.Work) singleton.Work {
	return func(ctx context.Context, of *singleton.Term) error {
		if scope := of.Token().Scope; scope != g.elector.Scope() {
			return fmt.Errorf("serving: the gate is for the elector of %s, not of %s",
				g.elector.Scope(), scope)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		t, closed := &term{Term: of, ctx: ctx}, make(chan struct{})
		context.AfterFunc(ctx, func() {
			defer close(closed)
			g.closeIdle(t)
		})
		defer func() {
			cancel(&singleton.EndError{Reason: singleton.ReasonReturned})
			g.swap(nil)
			t.requests.Wait()
			<-closed
		}()
		g.swap(t)
		return work(ctx, of)
	}
}

func (g *Gate) swap(t *term) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.term = t
}

// Enter lets a request in. The protocol does not matter. The error is a [*NotActiveError] if this
// replica is not active. The context of the entry
//   - ends when ctx ends, and when the term ends: then its cause is the term's
//     [*singleton.EndError];
//   - carries the term's token; and
//   - passes a guard's refusal of a stale write on to the term ([fencing.Report]).
//
// Call [Entry.Err] before an answer leaves, and [Entry.Leave] when the request is over. The term's
// work does not return before that.
func (g *Gate) Enter(ctx context.Context) (*Entry, error) {
	t := g.enter()
	if t == nil {
		return nil, g.refusal(false)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(context.Cause(t.ctx)) }
	stop := context.AfterFunc(t.ctx, end)
	ctx = fencing.NewSourceContext(ctx, t)
	ctx = fencing.WithReporter(ctx, func(err error) { _ = fencing.Report(t.ctx, err) })
	return &Entry{gate: g, term: t, ctx: ctx, end: end, leave: sync.OnceFunc(func() {
		stop()
		cancel(context.Canceled)
		t.requests.Done()
	})}, nil
}

func (g *Gate) enter() *term {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.term == nil || !g.term.lasts() {
		return nil
	}
	g.term.requests.Add(1)
	return g.term
}

// refusal never says that this replica is active. The elector's own state may still, just before
// work is called and just after the term's end.
func (g *Gate) refusal(handled bool) *NotActiveError {
	s := g.elector.Status()
	if s.State == singleton.StateActive {
		s.State = singleton.StateAcquiring
		if handled || g.opened() {
			s.State = singleton.StateDraining
		}
	}
	return &NotActiveError{State: s.State, Holder: s.Holder.Identity, Handled: handled}
}

func (g *Gate) opened() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.term != nil
}

// Entry is a request that was let in. Its methods are safe for concurrent use.
type Entry struct {
	gate  *Gate
	term  *term
	ctx   context.Context //nolint:containedctx // the request's
	end   func()          // with the term
	leave func()
}

// Context is the request's; see [Gate.Enter].
func (e *Entry) Context() context.Context { return e.ctx }

// Err returns nil while the answer may be sent, and a [*NotActiveError] once the term is over. It
// makes no request.
func (e *Entry) Err() error {
	if e.term.lasts() {
		return nil
	}
	return e.gate.refusal(true)
}

// Leave ends the request. Further calls do nothing.
func (e *Entry) Leave() { e.leave() }
