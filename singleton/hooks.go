package singleton

import (
	"cmp"
	"context"
	"os"
	"sync"

	"github.com/hotseat-go/hotseat/fencing"
)

// Hooks are optional functions that are called when something happens. OnAcquire, OnLose and
// OnHolder are called one at a time, in the order of events, on a goroutine that does nothing else.
// A hook that blocks delays later hooks and the start of later work. It never delays a renewal or a
// deadline. Run waits for all hooks before it returns. A hook that panics ends Run like work that
// panics. [JoinHooks] joins several Hooks into one.
type Hooks struct {
	// OnAcquire is called at the start of a term, after the token was announced to every guard. Work
	// starts once OnAcquire has returned. ctx is the work's.
	OnAcquire func(ctx context.Context, term *Term)
	// OnLose is called exactly once for each OnAcquire, after the term's work has returned and the
	// Lease was given up. So OnLose may end the process. cause is the cause of the end of the work's
	// context.
	OnLose func(term *Term, cause error)
	// OnHolder is called when [Status].Holder changes:
	//   - It is called with an empty Identity when nobody holds the Lease any more, because the
	//     Lease was released, cleared or deleted. This call is left out if the next holder follows
	//     at once. It is also left out after a crash, because the Lease goes on naming the replica
	//     that crashed.
	//   - When this replica becomes the holder, it is called with Self set.
	//   - Once the holder's process is proven dead, it is called for the same holder with Dead set.
	//     This call, too, is left out if the next holder follows at once.
	//   - After a raise, it is called for the same holder with the new token.
	//   - If etcd is restored while an API server goes on running, an old holder can be seen again.
	//   - Holders that came and went while hooks were blocked may be left out.
	OnHolder func(Holder)
	// OnOverrun is called once for a term whose work has overrun one of these:
	//   - The stop budget. Another replica may be at work by then.
	//   - Config.Replica.DrainLimit. No other replica can start until work returns.
	//
	// It may run at the same time as other hooks. See [ExitOnOverrun].
	OnOverrun func(*Term)
}

// Holder of the Lease as seen by this replica.
type Holder struct {
	Identity string        // empty: nobody
	Token    fencing.Token // zero if the holder has none, as with client-go's elector
	Self     bool          // it is this process
	// Dead says that the holder's process is proven dead (Config.Evidence), and that no other replica
	// has held the Lease since.
	Dead bool
}

// String is the identity, or "nobody".
func (h Holder) String() string { return cmp.Or(h.Identity, "nobody") }

// ExitOnOverrun is a Hooks.OnOverrun that ends the process at once with status 3. It is for work
// that cannot be relied on to return when its context ends.
func ExitOnOverrun(*Term) { os.Exit(3) }

// hookRunner calls hooks in order on its own goroutine. The goroutine exists only while hooks are
// queued, because a process may be a candidate for a thousand Leases.
type hookRunner struct {
	mu      sync.Mutex
	queue   []queuedHook
	running bool    // a goroutine works the queue off
	told    *Holder // the last one given to OnHolder; owned by the loop

	bad  chan *PanicError // buffered; a hook panicked
	done sync.WaitGroup
}

type queuedHook struct {
	call   func()
	holder bool          // a later OnHolder may replace it
	called chan struct{} // closed when it returned
}

func newHooks() *hookRunner { return &hookRunner{bad: make(chan *PanicError, 1)} }

// run works the queue off.
func (h *hookRunner) run() {
	finished := false
	defer func() {
		if !finished { // a hook called runtime.Goexit: the queue goes on
			h.done.Go(h.run)
		}
	}()
	for next, ok := h.pop(); ok; next, ok = h.pop() {
		h.guarded(next)
	}
	finished = true
}

// guarded calls a hook and passes its panic on to the loop.
func (h *hookRunner) guarded(q queuedHook) {
	protect(func() error { q.call(); return nil }, func(err error) {
		if panicked, ok := err.(*PanicError); ok { //nolint:errorlint // exactly what protect made
			select {
			case h.bad <- panicked:
			default: // one is enough to end Run
			}
		}
		close(q.called)
	})
}

// pop returns the next hook. It reports false if there is none: the goroutine then ends.
func (h *hookRunner) pop() (queuedHook, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		h.queue, h.running = nil, false
		return queuedHook{}, false
	}
	next := h.queue[0]
	h.queue = h.queue[1:]
	return next, true
}

func (h *hookRunner) push(q queuedHook) <-chan struct{} {
	q.called = make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := len(h.queue) - 1; q.holder && last >= 0 && h.queue[last].holder {
		h.queue[last] = q
	} else {
		h.queue = append(h.queue, q)
	}
	if !h.running {
		h.running = true
		h.done.Go(h.run)
	}
	return q.called
}

// seen calls hook with holder, unless the last call was with the same holder.
func (h *hookRunner) seen(hook func(Holder), holder Holder) {
	if h.told != nil && *h.told == holder {
		return
	}
	h.told = &holder
	if hook != nil {
		h.push(queuedHook{call: func() { hook(holder) }, holder: true})
	}
}

// overrun calls f at once, beside the queue.
func (h *hookRunner) overrun(f func()) {
	h.done.Go(func() { h.guarded(queuedHook{call: f, called: make(chan struct{})}) })
}

// wait returns when every queued hook has returned. Nothing may be pushed any more.
func (h *hookRunner) wait() { h.done.Wait() }
