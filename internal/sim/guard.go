package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Guard is what stands before the guarded resource. All but the first are
// breaches, for negative controls.
type Guard int

const (
	GuardSound     Guard = iota // fencing.Memory
	GuardAbsent                 // every write is admitted
	GuardForgetful              // it restarts every few seconds, and its mark is gone
	GuardLowering               // it takes any token for the mark, also a lower one
)

// resource is the guard as its server uses it.
type resource interface {
	Announce(ctx context.Context, t fencing.Token) error
	Enter(ctx context.Context, t fencing.Token) (_ context.Context, leave func(), _ error)
}

func newGuard(kind Guard) (resource, error) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if kind == GuardLowering {
		return &lowering{Memory: guard}, err
	}
	return guard, err
}

// lowering is a guard that believes whoever came last.
type lowering struct{ *fencing.Memory }

// Announce is part of [fencing.Guard].
func (l *lowering) Announce(ctx context.Context, t fencing.Token) error {
	if l.Memory.Announce(ctx, t) == nil {
		return nil
	}
	fresh, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return err
	}
	l.Memory = fresh
	return l.Memory.Announce(ctx, t)
}

// Enter is part of [resource].
func (l *lowering) Enter(ctx context.Context, t fencing.Token) (context.Context, func(), error) {
	if err := l.Announce(ctx, t); err != nil {
		return nil, nil, err
	}
	return l.Memory.Enter(ctx, t)
}

const forgets = 2 * time.Second

// forget restarts a guard that keeps nothing.
func (w *world) forget() {
	if guard, err := newGuard(w.plan.Guard); err == nil {
		w.guard = guard
	}
	w.in(forgets, -1, "the guard forgets", w.forget)
}

// callGuard sends a write or an announcement on its way to the guard.
func (w *world) callGuard(m *message) {
	n := m.from.node.index
	w.check.invoked(m)
	if w.afflicted(n, GuardDown) {
		w.hit(GuardDown)
		return
	}
	w.in(w.latency(), n, "", func() { w.in(w.latency()+w.sluggish(n), -1, "", func() { w.admit(m) }) })
}

// sluggish is what a slow guard adds: calls overlap, and overtake each other.
func (w *world) sluggish(node int) time.Duration {
	if f := w.affliction(node, SlowGuard); f != nil {
		w.hit(SlowGuard)
		return upTo(w.rng, time.Duration(f.N)*time.Millisecond)
	}
	return 0
}

// admit has the guard decide, in a goroutine as a server has one for each call:
// a newer token waits until the effects of older ones are over.
func (w *world) admit(m *message) {
	if m.from.node.Elector != Hotseat || m.job != nil && w.plan.Guard == GuardAbsent {
		w.affect(m, func() {})
		return
	}
	w.check.arrived(m)
	guard := w.guard
	w.calls.Go(func() {
		d := &message{from: m.from, verb: verbDecided, decision: decision{of: m, leave: func() {}}}
		if m.verb == verbAnnounce {
			d.err = guard.Announce(context.Background(), m.token)
		} else if _, leave, err := guard.Enter(context.Background(), m.token); err != nil {
			d.err = err
		} else {
			d.leave = leave
		}
		w.send(d)
	})
}

// decided takes in what the guard decided; an admitted write has its effect,
// which a slow guard's resource takes a while for.
func (w *world) decided(d *message) {
	m := d.of
	w.check.decided(m, d.err)
	switch n := m.from.node.index; {
	case d.err != nil:
		w.check.tell(n, fmt.Sprintf("%s refused, epoch %d", m.verb, m.token.Epoch))
		w.answerGuard(m, d.err)
	case m.verb == verbAnnounce:
		w.check.tell(n, fmt.Sprintf("announced, epoch %d", m.token.Epoch))
		w.answerGuard(m, nil)
	default:
		w.in(w.sluggish(n), -1, "", func() { w.affect(m, d.leave) })
	}
}

// affect is a write's effect on the resource.
func (w *world) affect(m *message, leave func()) {
	w.check.tell(m.from.node.index, fmt.Sprintf("%s done, epoch %d", m.verb, m.token.Epoch))
	w.check.affected(m)
	leave()
	w.answerGuard(m, nil)
}

func (w *world) answerGuard(m *message, err error) {
	n := m.from.node.index
	if w.afflicted(n, GuardDown) {
		w.hit(GuardDown)
		return
	}
	w.in(w.latency()+w.sluggish(n), n, "", func() {
		if !m.from.dead && !m.gone.Load() {
			w.check.responded(m, err)
			m.answers <- answer{err: err}
		}
	})
}
