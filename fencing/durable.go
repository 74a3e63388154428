package fencing

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Store keeps the marks of a [Durable] guard: one token per scope, with a version. Package
// filestore has a Store over files. Implementations are safe for concurrent use. If several
// processes share the medium, that holds across the processes too. Implementations do not retry for
// longer than ctx lasts. On any error the guard refuses: with [ErrWiring] if the error wraps it,
// else with [ErrUnavailable].
type Store interface {
	// Load returns the mark of a scope and its version, which may be any string. The zero Token means
	// that the scope never had a mark; this state has a version too. A mark that cannot be read,
	// parsed or believed is an error, never the zero Token.
	//
	// If two calls return the same version, no swap stored another mark between them. What Load
	// returns may be gone after a crash: a [Durable] relies only on marks that it has swapped in
	// itself.
	Load(ctx context.Context, scope string) (mark Token, version string, err error)

	// CompareAndSwap makes next the mark of its scope if the scope still has the given version. No
	// other swap comes between the comparison and the swap.
	//   - True: next is the mark, durably. After any crash it or a later mark is there.
	//   - False: the version was another one, and nothing changed.
	//   - An error: the swap may or may not have happened, or may still happen.
	//
	// next may already be the mark, from a swap that was not confirmed. Write it again even then. A
	// mark that can be read may not be durable: a disk may have failed to sync it, or a database's
	// standby may not have it yet.
	CompareAndSwap(ctx context.Context, version string, next Token) (swapped bool, err error)
}

// Durable is a [Guard] like [Memory], for a resource that one process at a time owns. Unlike those
// of Memory, its marks outlive the process. A Durable stores a newer token first, and only then
// admits work that carries it. Make one with [NewDurable]. All methods are safe for concurrent use.
//
// Each call reads the store, so a mark of another process is seen at once. If the store cannot be
// read, the call fails with [ErrUnavailable]. A mark that can be read may still be
// lost in a crash. So a Durable relies on a mark only if its own write of that mark was confirmed.
// If another process wrote the mark, or the answer to the write was lost, the Durable first writes
// the mark again.
//
// Several processes may share a store, and always agree on the mark. But each tracks only its own
// work in flight. If effects may be in flight in more than one process, bind check and effect by
// something that they share, such as a transaction.
//
// A Durable also remembers what it saw. If the store is restored to an earlier state under a
// running guard, the guard keeps its higher marks, and the next announcement stores the mark again.
type Durable struct {
	store  Store
	flight *Memory // work in flight, and the highest marks this process saw

	mu     sync.Mutex
	stored map[string]Token // by scope: what this process swapped in last
}

var _ Tracker = (*Durable)(nil)

// NewDurable returns a guard over store. cfg says how to wait for work in flight. NewDurable does
// not read the store. It fails if store is nil, or if [NewMemory] fails.
func NewDurable(store Store, cfg MemoryConfig) (*Durable, error) {
	if store == nil {
		return nil, errors.New("fencing: Store is nil")
	}
	flight, err := NewMemory(cfg)
	if err != nil {
		return nil, err
	}
	return &Durable{store: store, flight: flight, stored: make(map[string]Token)}, nil
}

// Announce stores t, ends the work in flight of older tokens, and waits for that work to leave. See
// [Guard] and [Memory.Announce].
func (d *Durable) Announce(ctx context.Context, t Token) error {
	if err := d.persist(ctx, t); err != nil {
		return Report(ctx, err)
	}
	return d.flight.Announce(ctx, t)
}

// Check does what Announce does: it admits the current token, and raises the mark for a newer one.
// The guard does not track the effect: prefer Enter.
func (d *Durable) Check(ctx context.Context, t Token) error {
	if Unfenced(ctx, t) {
		return nil
	}
	return d.Announce(ctx, t)
}

// Enter is Check for an effect that takes time: see [Memory.Enter].
func (d *Durable) Enter(ctx context.Context, t Token) (_ context.Context, leave func(), _ error) {
	if !Unfenced(ctx, t) {
		if err := d.persist(ctx, t); err != nil {
			return nil, nil, Report(ctx, err)
		}
	}
	return d.flight.Enter(ctx, t)
}

// Mark returns the mark of a scope: the stored one, or a higher one that this process saw.
func (d *Durable) Mark(ctx context.Context, scope string) (Token, error) {
	if err := ValidateScope(scope); err != nil {
		return Token{}, err
	}
	if _, _, err := d.load(ctx, scope); err != nil {
		return Token{}, err
	}
	return d.flight.Mark(ctx, scope)
}

// persist returns nil once t is the mark and this process has stored it. flight decides whether t
// may be admitted here and now.
func (d *Durable) persist(ctx context.Context, t Token) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if err := d.flight.refusal(t); err != nil { // t must not reach a store that went back in time
		return err
	}
	for last := (*string)(nil); ; {
		mark, version, err := d.load(ctx, t.Scope)
		if err != nil {
			return err
		}
		if _, err := Judge(t, mark); err != nil {
			return err
		}
		if t == mark && d.has(t) {
			return nil
		}
		if last != nil && version == *last {
			return fmt.Errorf("%w: the store did not swap version %q and still has it",
				ErrUnavailable, version)
		}
		swapped, err := d.store.CompareAndSwap(ctx, version, t)
		if err != nil {
			return undecided(fmt.Errorf("storing %v: %w", t, err))
		}
		if swapped {
			d.keep(t)
			return nil
		}
		last = &version
	}
}

// has reports whether this process has stored t. Only then is t known to be durable.
func (d *Durable) has(t Token) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stored[t.Scope] == t
}

func (d *Durable) keep(t Token) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stored[t.Scope] = t
}

// load reads the store, and raises the mark in flight to the stored one. That ends older work.
func (d *Durable) load(ctx context.Context, scope string) (mark Token, version string, err error) {
	mark, version, err = d.store.Load(ctx, scope)
	switch {
	case err != nil:
		return Token{}, "", undecided(fmt.Errorf("loading the mark of %s: %w", scope, err))
	case mark.IsZero():
		return mark, version, nil
	case mark.Scope != scope || mark.Validate() != nil:
		return Token{}, "", fmt.Errorf("%w: the mark of %s is stored as %q", ErrUnavailable, scope, mark)
	}
	_, _ = d.flight.raise(mark, nil)
	return mark, version, nil
}
