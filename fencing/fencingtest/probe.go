package fencingtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// probe is one test on one guard.
type probe struct {
	Suite
	t   testing.TB
	ctx context.Context //nolint:containedctx // the test's

	guard fencing.Guard
	own   *register // the resource of a Tracker without Suite.Write

	mu       sync.Mutex
	findings []string
	skipped  string // why there is nothing to find
}

// open begins with a fresh resource.
func (p *probe) open() {
	p.guard, p.own = p.Open(p.t), &register{}
}

// found notes what is wrong. The first few tell all.
func (p *probe) found(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.findings) < 5 {
		p.findings = append(p.findings, fmt.Sprintf(format, args...))
	}
}

// wrong reports whether anything was found.
func (p *probe) wrong() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.findings) > 0
}

// again returns another guard over the resource, if there can be one.
func (p *probe) again() fencing.Guard {
	if p.Reopen == nil || p.Write == nil && p.writes() { // a Tracker tracks its own work alone
		return p.guard
	}
	return p.Reopen(p.t, p.guard)
}

// writes reports whether there is a way to have an effect.
func (p *probe) writes() bool {
	_, tracks := p.guard.(fencing.Tracker)
	return p.Write != nil || tracks
}

func nothing() {}

// write sets the value, by g.
func (p *probe) write(
	ctx context.Context, g fencing.Guard, t fencing.Token, value string, between func(),
) error {
	if p.Write != nil {
		return p.Write(ctx, g, t, value, between)
	}
	_, leave, err := g.(fencing.Tracker).Enter(ctx, t) //nolint:forcetypeassert // see writes
	if err != nil {
		return err
	}
	defer leave()
	between()
	p.own.set(value)
	return nil
}

func (p *probe) read(ctx context.Context, g fencing.Guard) (string, error) {
	if p.Read != nil {
		return p.Read(ctx, g)
	}
	return p.own.get(), nil
}

// register is a value in this process.
type register struct {
	mu    sync.Mutex
	value string
}

func (r *register) set(value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = value
}

func (r *register) get() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}

// door is a way to present a token.
type door struct {
	name    string
	present func(ctx context.Context, t fencing.Token) error
}

// effects are the doors but Announce.
func (p *probe) effects() (doors []door) {
	if c, ok := p.guard.(fencing.Checker); ok {
		doors = append(doors, door{"Check", c.Check})
	}
	if tracker, ok := p.guard.(fencing.Tracker); ok {
		doors = append(doors, door{"Enter", func(ctx context.Context, t fencing.Token) error {
			_, leave, err := tracker.Enter(ctx, t)
			if err == nil {
				leave()
			}
			return err
		}})
	}
	if p.writes() {
		doors = append(doors, door{"Write", func(ctx context.Context, t fencing.Token) error {
			return p.write(ctx, p.guard, t, "by "+t.String(), nothing)
		}})
	}
	return doors
}

func (p *probe) doors() []door {
	return append([]door{{"Announce", p.guard.Announce}}, p.effects()...)
}

// announce, and expect no error.
func (p *probe) announce(t fencing.Token) {
	if err := p.guard.Announce(p.ctx, t); err != nil {
		p.found("Announce(%v): %v, want nil", t, err)
	}
}

// sets writes, if that is possible, and expects the value to be there.
func (p *probe) sets(t fencing.Token, value string) {
	if !p.writes() {
		p.announce(t)
		return
	}
	if err := p.write(p.ctx, p.guard, t, value, nothing); err != nil {
		p.found("Write under %v: %v, want nil", t, err)
	}
	p.holds(value)
}

func (p *probe) holds(want string) {
	if got := p.value(); got != want {
		p.found("the value is %q, want %q", got, want)
	}
}

func (p *probe) value() string {
	if !p.writes() {
		return ""
	}
	value, err := p.read(p.ctx, p.guard)
	if err != nil {
		p.found("Read: %v", err)
	}
	return value
}

// marked expects the mark, also of a guard that knows nothing of the others' calls.
func (p *probe) marked(want fencing.Token) {
	guards := []fencing.Guard{p.guard}
	if p.Reopen != nil {
		guards = append(guards, p.Reopen(p.t, p.guard))
	}
	for i, g := range guards {
		if got, err := g.Mark(p.ctx, Scope); err != nil || got != want {
			whose := [...]string{"the guard", "a reopened guard"}[i]
			p.found("Mark of %s: %v, %v, want %v", whose, got, err, want)
		}
	}
}

// refuses expects all doors to answer t alike, and neither mark nor value to move.
func (p *probe) refuses(t fencing.Token, check func(door string, err error)) {
	mark, err := p.guard.Mark(p.ctx, Scope)
	if err != nil {
		p.found("Mark: %v", err)
	}
	value := p.value()
	for _, d := range p.doors() {
		check(fmt.Sprintf("%s(%v)", d.name, t), d.present(p.ctx, t))
	}
	p.marked(mark)
	p.holds(value)
}

func (p *probe) refusesAs(t fencing.Token, want error) {
	p.refuses(t, func(door string, err error) {
		if !errors.Is(err, want) {
			p.found("%s: %v, want %v", door, err, want)
		}
	})
}

func (p *probe) stale(t, mark fencing.Token) {
	p.refuses(t, func(door string, err error) {
		var stale *fencing.StaleError
		want := fencing.StaleError{Presented: t, Mark: mark}
		if !errors.As(err, &stale) || *stale != want {
			p.found("%s: %v, want %v", door, err, &want)
		}
	})
}

func (p *probe) conflict(t, mark fencing.Token) {
	p.refuses(t, func(door string, err error) {
		var conflict *fencing.ConflictError
		want := fencing.ConflictError{Presented: t, Mark: mark}
		if !errors.As(err, &conflict) || *conflict != want {
			p.found("%s: %v, want %v", door, err, &want)
		}
	})
}

// settle calls f until it decides, as an elector does.
func settle(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || !fencing.KindOf(err).Undecided() {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("still undecided after %v: %w", patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
