package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// wedgeOdds: in one plan of so many work hangs.
const wedgeOdds = 6

// drawWedges draws it beside the other faults, and from numbers of its own, as drawAdmission does.
func drawWedges(seed uint64, p Plan) (out []Fault) {
	rng := rand.New(rand.NewPCG(seed, 6))
	if rng.IntN(wedgeOdds) > 0 {
		return nil
	}
	all := shapes()
	s := all[slices.IndexFunc(all, func(s shape) bool { return s.kind == Wedge })]
	for range 1 + rng.IntN(4) {
		out = append(out, s.draw(rng, upTo(rng, lastFault-time.Minute), p))
	}
	return out
}

// wedges reports whether work hangs somewhere in the plan.
func (p Plan) wedges() bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == Wedge })
}

// progressWithin is how often work on a node has to report progress. It takes less than half of
// that, unless it hangs. 0: it need not.
func (p Plan) progressWithin(n Node) time.Duration {
	if !p.wedges() || n.Elector != Hotseat {
		return 0
	}
	return 2 * p.timing(n).RenewDeadline
}

// hang has work do nothing while a fault says so, or until its context ends. Work that reports no
// progress must be told to stop in time.
func (p *process) hang(j *job) {
	p.world.mu.Lock()
	until := p.node.wedgedUntil
	j.hung = j.hung || until.After(time.Now())
	p.world.mu.Unlock()
	over := time.NewTimer(time.Until(until))
	defer over.Stop()
	var limit <-chan time.Time
	if within := p.world.plan.progressWithin(p.node.Node); within > 0 {
		t := time.NewTimer(within + time.Millisecond)
		defer t.Stop()
		limit = t.C
	}
	select {
	case <-over.C:
	case <-p.killed:
	case <-j.ctx.Done():
		p.world.check.wedged(j)
	case <-limit:
		p.world.check.unheeded(j)
	}
}

// stalled reports whether a term was ended because its work reported no progress.
func (j *job) stalled() bool {
	end, ok := errors.AsType[*singleton.EndError](context.Cause(j.ctx))
	return ok && end.Reason == singleton.ReasonStalled
}

// wedged takes in that work which hung was told to stop.
func (c *checker) wedged(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if j.stalled() {
		c.felt[Wedge]++
	}
}

// unheeded takes in that nobody has told work to stop that hangs for too long.
func (c *checker) unheeded(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.violate("wedged work gives way", "%s hangs, and its term goes on", j.process.name)
}
