package sim

import (
	"time"
)

// Result of a run.
type Result struct {
	Plan       Plan
	Violations []Violation
	Story      []string // if it was asked for

	Size
	Overlap
	Share    Share
	Backward bool // a term's token was not above those before
	Writes   Writes
	Calls    []GuardCall  // of the guard
	Struck   map[Kind]int // how often a fault had its effect
}

// Size of a run.
type Size struct{ Terms, Steps int }

// Overlap is the longest that two were at work, and had a live context.
type Overlap struct{ AtWork, Contexts time.Duration }

// Run plays a plan; call it inside a testing/synctest bubble. With story, the
// result tells what happened.
func Run(p Plan, story bool) (Result, error) {
	w, err := newWorld(p)
	if err != nil {
		return Result{}, err
	}
	w.check.record = story
	for i, n := range p.Nodes {
		w.nodes = append(w.nodes, &node{Node: n, index: i, wall: newWall(p, i, w.began)})
	}
	for _, n := range w.nodes {
		// Not all at the same instant, except sometimes.
		w.in(time.Duration(w.rng.IntN(1+int(lastStart/time.Second)))*time.Second, -1, "", func() { w.start(n, false) })
	}
	defer w.store.close()
	if p.NoLease {
		w.struck[NoLease]++
	}
	w.schedule()
	if p.Guard == GuardForgetful {
		w.in(forgets, -1, "", w.forget)
	}
	w.drive(w.began.Add(p.Length))
	w.finish()
	return w.result(), nil
}

// patience is how long everything may take to be over at the end.
const patience = 3 * time.Minute

// finish stops all processes and waits for them.
func (w *world) finish() {
	w.closing = true
	for _, n := range w.nodes {
		w.stop(n, 0)
	}
	w.drive(time.Now().Add(patience))
	if !w.idle() {
		panic("sim: processes do not end: " + w.plan.Replay())
	}
	w.wg.Wait()
	w.calls.Wait()
	for _, x := range w.watchers {
		x.close()
	}
}

func (w *world) result() Result {
	c := w.check
	w.mu.Lock()
	defer w.mu.Unlock()
	c.checkTraffic()
	out := Result{Plan: w.plan, Violations: c.found, Size: Size{len(c.jobs), w.steps}, Writes: c.writes, Calls: c.calls, Struck: w.struck}
	out.Share = c.share(w.opened, w.began.Add(w.plan.Length))
	for kind, n := range c.felt {
		out.Struck[kind] += n
	}
	for _, l := range c.told() {
		out.Story = append(out.Story, l.String())
	}
	highest := int64(-1)
	for i, a := range c.jobs {
		if a.process.node.Elector == w.plan.Nodes[0].Elector {
			epoch := a.token().Epoch
			out.Backward = out.Backward || epoch <= highest && c.era == 0
			highest = max(highest, epoch)
		}
		for _, b := range c.jobs[i+1:] {
			if !c.counts(a, b) {
				continue
			}
			out.AtWork = max(out.AtWork, overlap(b.began, a.returned, b.returned))
			out.Contexts = max(out.Contexts, overlap(b.began, a.contextEnd(), b.contextEnd()))
		}
	}
	return out
}

func overlap(began, a, b time.Time) time.Duration {
	if b.Before(a) {
		a = b
	}
	return a.Sub(began)
}

func (j *job) contextEnd() time.Time {
	if j.ended.IsZero() {
		return j.returned
	}
	return j.ended
}
