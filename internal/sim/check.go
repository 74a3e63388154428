package sim

import (
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
)

// checker looks, after every step, whether what must always hold does.
type checker struct {
	w       *world
	serving *process // whose request the server is serving
	record  bool     // keep the story

	// Under the world's mutex: processes report here.
	jobs  []*job
	live  []*job
	story []line
	found []Violation

	mark       fencing.Token // what an exact guard would hold
	latest     int           // number of the last job that a later write makes stale
	highest    int64         // epoch that ever started work
	rewound    bool          // a restore without a bump: epochs may repeat
	restored   time.Time     // the last restore of either kind
	writes     Writes
	lastActive time.Time
	late       bool // the absence of an active was reported
	requests   int  // in the quiet end
}

// Violation of what must hold.
type Violation struct {
	At   time.Duration
	Rule string
	Text string
}

func (v Violation) String() string { return fmt.Sprintf("%v %s: %s", v.At, v.Rule, v.Text) }

// Writes counts guarded writes that arrived after a later term's work began.
type Writes struct{ Stale, Refused, Accepted int }

func newChecker(w *world) *checker { return &checker{w: w} }

// violate notes a violation; the mutex is held.
func (c *checker) violate(rule, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.found = append(c.found, Violation{c.w.now(), rule, text})
	c.note(-1, true, "VIOLATION "+rule+": "+text)
}

// begin takes in that work started.
func (c *checker) begin(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	j.number = len(c.jobs) + 1
	c.jobs, c.live = append(c.jobs, j), append(c.live, j)
	epoch := j.token().Epoch
	j.misled = !c.restored.IsZero() && !j.process.sighted.Before(c.restored) && j.began.Sub(c.restored) < 2*c.w.plan.Timing.LeaseDuration
	c.note(j.process.node.index, false, fmt.Sprintf("work begins, epoch %d", epoch))
	if c.w.plan.Nodes[0].Elector == j.process.node.Elector {
		c.latest = j.number
	}
	if j.process.node.Elector != Hotseat {
		return
	}
	if epoch <= c.highest && !c.rewound && !j.process.dead {
		c.violate("tokens grow", "epoch %d after %d", epoch, c.highest)
	}
	c.highest = max(c.highest, epoch)
}

// end takes in that work returned.
func (c *checker) end(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if j.returned.IsZero() {
		j.returned = time.Now()
	}
	for i, other := range c.live {
		if other == j {
			c.live = append(c.live[:i:i], c.live[i+1:]...)
			break
		}
	}
	if !j.killed {
		c.note(j.process.node.index, false, "work returned")
	}
}

// crashed takes in that a process is no more: its work stopped with it.
func (c *checker) crashed(p *process) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	kept := c.live[:0:0]
	for _, j := range c.live {
		if j.process == p {
			j.killed, j.returned = true, time.Now()
			continue
		}
		kept = append(kept, j)
	}
	c.live = kept
}

// returned takes in that a process ended by itself.
func (c *checker) returned(p *process, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if err != nil && p.alive() {
		c.violate("ends in order", "%s: Run returned %v", p.name, err)
	}
}

// step checks what must hold whenever nobody runs.
func (c *checker) step() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	now := time.Now()
	active := false
	for i, j := range c.live {
		if j.ended.IsZero() && j.ctx.Err() != nil {
			j.ended = now
			c.note(j.process.node.index, true, fmt.Sprintf("context ended: %v", cause(j.ctx)))
		}
		j.frozen = j.frozen || c.w.afflicted(j.process.node.index, Freeze)
		active = active || j.ended.IsZero()
		c.checkDeadline(j, now)
		for _, other := range c.live[:i] {
			c.checkPair(other, j, now)
		}
	}
	if active {
		c.lastActive = now
	}
	c.checkLiveness(now)
}

// checkDeadline: a context ends at most RenewDeadline after the last
// acknowledged write was sent.
func (c *checker) checkDeadline(j *job, now time.Time) {
	p := j.process
	if p.node.Elector != Hotseat || !j.ended.IsZero() || j.token().IsZero() {
		return
	}
	r := c.w.plan.timing(p.node.Node).RenewDeadline
	if age := now.Sub(p.acknowledged); age > r && !j.overdue {
		j.overdue = true
		c.violate("deadline", "%s works %v after it sent its last acknowledged write, RenewDeadline is %v", p.name, age, r)
	}
}

// comparable reports whether two jobs must not overlap. A process that was
// frozen, or whose work was made to outstay its context, is outside the
// assumptions; so is another elector among ours.
//
// So is, and this is a limit of the protocol, a process that knows the Lease only
// since it was restored from a backup in which nobody held it: nothing it can
// read tells it that somebody did since.
func (c *checker) comparable(a, b *job) bool {
	if c.w.plan.Nodes[0].Elector == Hotseat && (a.process.node.Elector != Hotseat || b.process.node.Elector != Hotseat) {
		return false
	}
	return !b.misled && !a.frozen && !b.frozen && !a.overran && !b.overran && a.process != b.process
}

// checkPair: no two at work, no two valid.
func (c *checker) checkPair(a, b *job, now time.Time) {
	if !c.comparable(a, b) {
		return
	}
	if a.valid() && b.valid() && !b.double {
		b.double = true
		c.violate("one valid term", "%s (epoch %d) and %s (epoch %d)", a.process.name, a.token().Epoch, b.process.name, b.token().Epoch)
	}
	if !b.began.Before(now) || b.overlapped {
		return
	}
	b.overlapped = true
	c.violate("one at a time", "%s (epoch %d) and %s (epoch %d) are both at work", a.process.name, a.token().Epoch, b.process.name, b.token().Epoch)
}

// checkLiveness: after the last fault somebody is active within a lease.
func (c *checker) checkLiveness(now time.Time) {
	plan := c.w.plan
	since := c.w.began.Add(plan.settled())
	if c.lastActive.After(since) {
		since = c.lastActive
	}
	if limit := plan.patience(); !c.late && !c.w.closing && now.Sub(since) > limit {
		c.late = true
		c.violate("always one again", "nobody is active %v after %v, the bound is %v", now.Sub(since), since.Sub(c.w.began), limit)
	}
}

// committed checks a change of the Lease.
func (c *checker) committed(ch change) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	p := c.serving
	if p == nil || p.node.Elector != Hotseat || ch.new == nil || ch.old == nil {
		return
	}
	before, after := lease.NewRecord(ch.old), lease.NewRecord(ch.new)
	epochBefore, _ := before.Epoch()
	epochAfter, _ := after.Epoch()
	mine := p.elector.Identity()
	switch {
	case c.rewound: // resource versions come again too, so a late write may fit
	case after.Term() == before.Term() && before.Holder() != mine:
		c.violate("no write over another's record", "%s wrote over a record of %q", p.name, before.Holder())
	case after.Term() != before.Term() && before.Holder() != mine && epochAfter <= epochBefore:
		c.violate("tokens grow", "%s acquired with epoch %d over %d", p.name, epochAfter, epochBefore)
	}
	if after.Holder() != "" {
		return
	}
	for _, j := range c.live {
		if j.process == p && j.token().Term == after.Term() {
			c.violate("release after work", "%s released the Lease with work of epoch %d not returned", p.name, epochAfter)
		}
	}
}
