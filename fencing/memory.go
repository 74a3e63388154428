package fencing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// MemoryConfig configures a [Memory] guard. The zero value is ready to use.
type MemoryConfig struct {
	// Drain bounds how long one call with a newer token waits for the work in flight of older tokens.
	// The context of the call may end the wait sooner. Zero means 5 s; negative is an error. Drain
	// should be longer than a request needs to notice the end of its context. A Drain that is too
	// short costs retries, never safety.
	Drain time.Duration
}

// Memory is a [Guard] for a resource that this process alone owns, such as a file, a device, or
// everything behind one HTTP server. It also tracks work in flight: see [Memory.Enter]. Make one
// with [NewMemory]. All methods are safe for concurrent use.
//
// Memory forgets its marks when the process ends. An old token may be the first that a new process
// sees. It is then admitted until the current term is announced again. If that matters, keep the
// mark elsewhere and call Announce with it before serving, or use a guard whose store is the
// resource itself.
//
// Each scope has its own mark, and Memory accepts any scope. A server in front of one resource must
// check the scope of each token itself. Otherwise a token of any other Lease is accepted too.
//
// A scope is never forgotten while the process lives. Each takes about 1 KiB at most. Let only
// authenticated callers present tokens: whoever presents a high epoch locks the others out.
type Memory struct {
	drain time.Duration

	mu     sync.Mutex // held for map and field access only: never while waiting or calling out
	scopes map[string]*state
}

var _ Tracker = (*Memory)(nil)

// state of one scope.
type state struct {
	mark    Token
	current map[*work]struct{} // in flight, admitted with mark
	older   map[*work]struct{} // in flight, admitted below mark: was ended, has not left yet
	changed chan struct{}      // closed when mark rises or older empties; nil when nobody waits
}

// work is one effect in flight.
type work struct {
	token Token
	end   func(error) // with the cause
}

// NewMemory returns a guard without marks. It fails if cfg.Drain is negative.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	if cfg.Drain < 0 {
		return nil, fmt.Errorf("fencing: MemoryConfig.Drain is %v, must not be negative", cfg.Drain)
	}
	return &Memory{drain: cmp.Or(cfg.Drain, 5*time.Second), scopes: make(map[string]*state)}, nil
}

// Announce raises the mark to t, ends the work in flight of older tokens, and waits for that work
// to leave. See [Guard]. It fails with [ErrUnavailable] if Drain passes, or ctx ends, before the
// work has left. Then retry.
func (m *Memory) Announce(ctx context.Context, t Token) error { return m.admit(ctx, t, nil) }

// Check does what [Memory.Announce] does: it admits the current token, and raises the mark for a
// newer one. With the current token and no older work in flight, Check does not block, does not
// allocate and ignores ctx. The guard does not track the effect: prefer Enter.
func (m *Memory) Check(ctx context.Context, t Token) error {
	if Unfenced(ctx, t) {
		return nil
	}
	return m.admit(ctx, t, nil)
}

// Mark returns the mark of a scope. It is the zero Token for a scope that was never seen.
func (m *Memory) Mark(_ context.Context, scope string) (Token, error) {
	if err := ValidateScope(scope); err != nil {
		return Token{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.scopes[scope]; s != nil {
		return s.mark, nil
	}
	return Token{}, nil
}

// Enter is Check for an effect that takes time: the work is in flight until leave is called. If a
// newer token arrives meanwhile, the returned context ends, and the newer token is admitted only
// after leave. So once a call with a newer token has returned nil, no effect made between Enter and
// leave can land any more, however long it was delayed.
//
// The returned context is a child of ctx, carries t, and also ends when leave is called. If a newer
// token ended it, [context.Cause] returns a [*StaleError] that also satisfies errors.Is(err,
// context.Canceled).
//
// Call leave when the effect has happened or never will. It does not block, and may be called more
// than once. If it is never called, every later term is locked out. Work in flight must not present
// a newer token itself: that call would wait for this very work.
//
// The errors are those of Check. With an error, the other results are nil. The guard does not track
// work that [AllowUnfenced] lets in.
func (m *Memory) Enter(ctx context.Context, t Token) (_ context.Context, leave func(), _ error) {
	if Unfenced(ctx, t) {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	workCtx, cancel := context.WithCancelCause(NewContext(ctx, t))
	w := &work{token: t, end: func(cause error) { cancel(Report(ctx, cause)) }}
	if err := m.admit(ctx, t, w); err != nil {
		cancel(err)
		return nil, nil, err
	}
	return workCtx, func() { cancel(nil); m.leave(w) }, nil
}

// admit returns nil once t is the mark and no older work is in flight. It then counts w, if any, as
// in flight.
func (m *Memory) admit(ctx context.Context, t Token, w *work) error {
	for { // the second round decides: the mark is newer, or older work is gone and cannot come back
		changed, err := m.raise(t, w)
		if changed == nil {
			return Report(ctx, err)
		}
		if err := m.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// raise makes t the mark if it is newer, and ends the work that this makes older. While any older
// work is in flight, changed says when to ask again. If changed is nil, t is decided.
func (m *Memory) raise(t Token, w *work) (changed <-chan struct{}, err error) {
	ended, changed, err := m.decide(t, w)
	for w := range ended {
		w.end(fmt.Errorf("%w: %w", &StaleError{Presented: w.token, Mark: t}, context.Canceled))
	}
	return changed, err
}

// decide is raise without the calls that must not be made under the mutex. ended is the work to
// end.
func (m *Memory) decide(t Token, w *work) (
	ended map[*work]struct{}, changed <-chan struct{}, err error,
) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.scopes[t.Scope]
	if s == nil || t != s.mark { // what equals a mark is valid
		if err := t.Validate(); err != nil {
			return nil, nil, err
		}
	}
	if s == nil {
		s = &state{mark: t, current: make(map[*work]struct{}), older: make(map[*work]struct{})}
		m.scopes[t.Scope] = s
	}
	raises, err := Judge(t, s.mark)
	if err != nil {
		return nil, nil, err
	}
	if raises {
		ended = s.current
		s.mark, s.current = t, make(map[*work]struct{})
		maps.Copy(s.older, ended)
		s.wake()
	}
	if len(s.older) > 0 {
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		return ended, s.changed, nil
	}
	if w != nil {
		s.current[w] = struct{}{}
	}
	return ended, nil, nil
}

// refusal says why the current marks refuse t, or returns nil. It raises no mark.
func (m *Memory) refusal(t Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.scopes[t.Scope]; s != nil {
		_, err := Judge(t, s.mark)
		return err
	}
	return nil
}

func (m *Memory) wait(ctx context.Context, changed <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.drain, fmt.Errorf("waited %v", m.drain))
	defer cancel()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: work of older tokens is still in flight: %w",
			ErrUnavailable, context.Cause(ctx))
	}
}

func (m *Memory) leave(w *work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.scopes[w.token.Scope]
	delete(s.current, w)
	delete(s.older, w)
	if len(s.older) == 0 {
		s.wake()
	}
}

// wake makes all waiters look again.
func (s *state) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
