package sim

import (
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// checkDeadline: a term is over RenewDeadline after its last acknowledged write
// was sent, at the latest. The mutex is held, as by all rules.
func (c *checker) checkDeadline(j *job, now time.Time) {
	p := j.process
	if p.node.Elector != Hotseat || j.overdue {
		return
	}
	r := c.w.plan.timing(p.node.Node).RenewDeadline
	if age := now.Sub(p.acknowledged[j.token().Term]); age > r && (j.ended.IsZero() || j.valid()) {
		j.overdue = true
		c.violate("deadline", "%s works %v after it sent its last acknowledged write, RenewDeadline is %v", p.name, age, r)
	}
}

// checkPairs: no two valid, no two at work for any time.
func (c *checker) checkPairs(now time.Time) {
	for i, b := range c.live {
		for _, a := range c.live[:i] {
			c.checkPair(a, b, now)
		}
	}
}

func (c *checker) checkPair(a, b *job, now time.Time) {
	if !c.comparable(a, b, now) {
		return
	}
	valid := a.valid()
	if valid && b.valid() && !b.double {
		b.double = true
		c.violate("one valid term", "%s (epoch %d) and %s (epoch %d)", a.process.name, a.token().Epoch, b.process.name, b.token().Epoch)
	}
	outside := !valid && (a.stuck || a.overran) // of the assumptions: frozen, or made to outstay its budget
	if outside || b.overlapped || !b.began.Before(now) {
		return
	}
	b.overlapped = true
	c.violate("one at a time", "%s (epoch %d) and %s (epoch %d) are both at work", a.process.name, a.token().Epoch, b.process.name, b.token().Epoch)
}

// checkTerms: nor are two terms valid of which work has not begun yet; and none is
// whose work is over.
func (c *checker) checkTerms(now time.Time) {
	for _, j := range c.jobs {
		if !j.returned.IsZero() && j.process.node.Elector == Hotseat && !j.killed && !j.double && j.valid() {
			j.double = true
			c.violate("one valid term", "%s (epoch %d) after its work returned", j.process.name, j.token().Epoch)
		}
	}
	if c.twice || c.recent(c.restored, now) || len(c.shipped) > 0 && c.recent(c.shipped[len(c.shipped)-1], now) {
		return // see comparable
	}
	valid := ""
	for _, n := range c.w.nodes {
		p := n.process
		if p == nil || p.validFor == nil || p.validFor() <= 0 {
			continue
		}
		if valid != "" {
			c.twice = true
			c.violate("one valid term", "of %s and of %s", valid, p.name)
			return
		}
		valid = p.name
	}
}

// comparable reports whether two jobs, the earlier one first, must not overlap.
//
// Another elector among ours keeps its own rules: it works on after a loss, and
// may take what it was misled to take for free.
//
// So is, for a lease after a restore from a backup, and these are limits of the
// protocol: a term that the restore wiped out where it left the Lease unheld, for
// a process that had not been shown it; renewals that it wiped out, for a process
// that had not been shown the last of them and so waits from an earlier one;
// whatever it wiped out, for a write sent before it, whose version has come back;
// and a term begun on a Lease that it left unheld, for the one whose own term it
// wiped out, if that Lease is deleted before it learns of it.
//
// And so is, for a lease after the Lease was deleted and shipped anew, its taking
// by a process that knows none of before.
func (c *checker) comparable(a, b *job, now time.Time) bool {
	if c.w.plan.Nodes[0].Elector == Hotseat && (a.process.node.Elector != Hotseat || b.process.node.Elector != Hotseat && c.w.plan.misleads(b.process.node.Elector)) {
		return false
	}
	undone := func(restored time.Time) bool { return c.recent(restored, now) && a.acquired.Before(restored) }
	wiped := undone(c.freed) && !b.shown[a.token().Term]
	deposed := c.recent(b.undone, now) && !b.shown[a.token().Term]
	return !wiped && !deposed && !undone(b.early) && !undone(b.process.behind) && !c.replaced(a, b, now)
}

// recent reports whether something happened less than a lease ago.
func (c *checker) recent(at, now time.Time) bool {
	return !at.IsZero() && now.Sub(at) < c.w.plan.Timing.LeaseDuration
}

// replaced reports whether a's Lease was deleted, and b's process knows only what
// was shipped anew: nothing could tell it that there had been another before.
func (c *checker) replaced(a, b *job, now time.Time) bool {
	return slices.ContainsFunc(c.shipped, func(at time.Time) bool {
		return c.recent(at, now) && a.acquired.Before(at) && !b.acquired.Before(at) && !b.knows.Before(at)
	})
}

// checkLiveness: after the last fault somebody is active within a lease.
func (c *checker) checkLiveness(now time.Time) {
	since := c.settled
	if c.w.store.jammed() { // nobody can be
		c.jammed = now
	}
	for _, at := range []time.Time{c.lastActive, c.jammed} {
		if at.After(since) {
			since = at
		}
	}
	if !c.late && !c.w.closing && now.Sub(since) > c.patience {
		c.late = true
		c.violate("always one again", "nobody is active %v after %v, the bound is %v", now.Sub(since), since.Sub(c.w.began), c.patience)
	}
}

// committed checks a change of the Lease.
func (c *checker) committed(ch change) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if ch.old == nil {
		c.born[ch.new.UID] = time.Now()
	}
	m := c.serving
	if m == nil || m.from.node.Elector != Hotseat || ch.new == nil {
		return
	}
	p, before, after := m.from, protocol.NewRecord(ch.old), protocol.NewRecord(ch.new)
	epochBefore, _ := before.Epoch()
	epochAfter, _ := after.Epoch()
	mine := p.elector.Identity()
	acquired := after.Term() != before.Term()
	if acquired {
		p.era, p.early, p.acquired = c.era, time.Time{}, time.Now()
		if m.sent.Before(c.restored) {
			p.early = c.restored
		}
	}
	// Resource versions come again after a restore that is not ahead of all: what a term of
	// the time before sends may fit by accident, until it is over; and a server whose cache is
	// ahead may itself take one record for another.
	accident := ch.blind || !c.rewound.IsZero() && m.sent.Before(c.rewound.Add(c.w.plan.Timing.RenewDeadline))
	switch {
	case !before.Exists() && after.Holder() != "":
		c.violate("no write over another's record", "%s created the Lease held: who held the one before is not known", p.name)
	case accident || !before.Exists(), answers(ch, mine):
	case !acquired && before.Holder() != mine:
		c.violate("no write over another's record", "%s wrote over a record of %q", p.name, before.Holder())
	case !acquired && epochAfter < epochBefore, acquired && before.Term() != "" && epochAfter <= epochBefore:
		c.violate("tokens grow", "%s wrote epoch %d over %d of %q", p.name, epochAfter, epochBefore, before.Holder())
	}
	if !acquired && epochAfter > epochBefore && before.Holder() == mine && !c.rewound.IsZero() {
		// Raised above the marks of the history that a restore undid: its terms
		// are the older ones now, whenever they began.
		for _, j := range c.live {
			if j.process == p {
				c.latest = j.number
			}
		}
	}
	if after.Holder() != "" {
		return
	}
	if m.sent.Before(c.restored) { // a release that fits what was put back
		c.freed = time.Now()
	}
	for _, j := range c.live {
		if j.process == p {
			c.violate("release after work", "%s released the Lease with work of epoch %d not returned", p.name, j.token().Epoch)
		}
	}
}
