package fencing

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Store keeps the marks of a [Durable] guard: one token per scope, with a version by which a change is made only to what
// was read. Package filestore has one over files. Implementations are safe for concurrent use, also by several processes
// where the medium is shared, and do not retry for longer than ctx lasts. Any error means that the guard refuses: with
// [ErrWiring] if it is one, else with [ErrUnavailable].
type Store interface {
	// Load returns the mark of a scope and its version, any string. The zero Token says that the scope never had one; that
	// has a version too. A mark that cannot be read, parsed or believed is an error, never the zero Token.
	//
	// Two calls return the same version only if no other mark was swapped in between. What Load returns may be gone after a
	// crash: a [Durable] admits by no mark but what it has swapped in itself.
	Load(ctx context.Context, scope string) (mark Token, version string, err error)

	// CompareAndSwap makes next the mark of its scope if the version is still the one given, in one step against all
	// other swaps. True: it is, and durably so: after any crash it is there, or a later one is. False: the version was another
	// and nothing was changed. An error: it may have happened or not, or may happen yet.
	//
	// Next may be the mark that is there already, from a swap that was seen and whose end was not. It is then written anew: what
	// is only visible, on a disk that failed to sync or before a standby has it, must not answer for what is durable.
	CompareAndSwap(ctx context.Context, version string, next Token) (swapped bool, err error)
}

// Durable is a [Guard] for a resource that one process at a time owns, like [Memory], whose marks outlive the process. A
// newer token is in the store before anything that carries it is admitted. Make one with [NewDurable]; all methods are
// safe for concurrent use.
//
// Each call reads the store, so that a mark which another process put there is seen at once, and refuses with
// [ErrUnavailable] what it cannot read. A mark of another process, or one whose swap was not answered, is stored
// again by this one before it admits by it, once. Several processes may share a store, and agree on the mark at any time; but each
// follows its own work in flight only. If effects may be in flight in more than one of them, bind check and effect
// by something they share, such as a transaction.
//
// It remembers too what it saw: a store that goes back in time under a running guard lowers nothing, and rises
// again with the next announcement.
type Durable struct {
	store  Store
	flight *Memory // work in flight, and the highest marks this process saw

	mu     sync.Mutex
	stored map[string]Token // by scope: what this process swapped in last
}

var _ Tracker = (*Durable)(nil)

// NewDurable returns a guard over store; cfg is that of the work in flight. It does not read the store. It fails when store is
// nil, and when [NewMemory] does.
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

// Announce stores t, ends the work in flight of older tokens and waits for it. See [Guard] and [Memory.Announce].
func (d *Durable) Announce(ctx context.Context, t Token) error {
	if err := d.persist(ctx, t); err != nil {
		return Report(ctx, err)
	}
	return d.flight.Announce(ctx, t)
}

// Check is Announce: both admit exactly the mark and what is newer. An effect that follows it is not followed: prefer Enter.
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

// persist returns nil once t is the mark and this process has stored it. Whether t may be admitted here and now is up to flight.
func (d *Durable) persist(ctx context.Context, t Token) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if err := d.flight.refusal(t); err != nil { // before a store that went back is told of it
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
			return fmt.Errorf("%w: the store did not swap version %q and still has it", ErrUnavailable, version)
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

// has reports whether this process has stored t: only then is it known to be durable.
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

// load reads the store. What it shows to be older is older here too, and is ended.
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
