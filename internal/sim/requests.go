package sim

import (
	"context"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// acknowledged takes in that a process learned of its write's success.
func (c *checker) acknowledged(m *message) {
	if m.from.sighted.IsZero() && m.verb == "list" {
		m.from.sighted = time.Now()
	}
	if m.verb == "create" || m.verb == "update" {
		if m.lease.Spec.HolderIdentity != nil && *m.lease.Spec.HolderIdentity != "" {
			m.from.acknowledged = m.sent
		}
	}
}

// requested checks a request as it is sent.
func (c *checker) requested(m *message) {
	if m.from.node.Elector != Hotseat || m.verb == verbGo || m.verb == verbWrite || m.verb == verbAnnounce {
		return
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	most := c.w.plan.timing(m.from.node.Node).RenewDeadline / 3
	if m.deadline.IsZero() || m.verb != "watch" && m.deadline.Sub(m.sent) > most {
		c.violate("deadlines", "%s sent a %s with %v to answer", m.from.name, m.verb, m.deadline.Sub(m.sent))
	}
	if c.w.now() > c.w.plan.quiet() && !c.w.closing {
		c.requests++
	}
}

// admit has the guard decide, and checks the decision.
func (c *checker) admit(m *message) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	fenced := m.from.node.Elector == Hotseat
	stale := m.job != nil && m.job.number < c.latest && (fenced || c.w.plan.Nodes[0].Elector != Hotseat)
	var err error
	if fenced && (m.job == nil || !c.w.plan.NoGuard) {
		order, conflict := fencing.Compare(m.token, c.mark)
		wanted := c.mark.IsZero() || conflict == nil && order >= 0
		if err = c.w.guard.Check(context.Background(), m.token); (err == nil) != wanted {
			c.violate("guard", "%v against mark %v: %v", m.token, c.mark, err)
		}
		if err == nil {
			c.mark = m.token
		}
	}
	if stale {
		c.writes.Stale++
		if err != nil {
			c.writes.Refused++
		} else {
			c.writes.Accepted++
			if fenced {
				c.violate("stale writes are refused", "%s wrote with epoch %d after a later term began", m.from.name, m.token.Epoch)
			}
		}
	}
	return err
}

// checkTraffic: in the quiet end of a run only the active renews.
func (c *checker) checkTraffic() {
	p := c.w.plan
	window := p.Length - p.quiet()
	if window <= 0 || !p.pure() {
		return
	}
	period := p.timing(Node{Fast: p.FastLease > 0}).RetryPeriod
	budget := int(window/period) + 2 + 2*len(p.Nodes) // and everybody's watch may end once
	if c.requests > budget {
		c.violate("traffic", "%d requests in the last %v, the budget is %d", c.requests, window, budget)
	}
}

// hurried takes in that a run has too many events.
func (c *checker) hurried() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.violate("no haste", "%d events: somebody asks without a pause", maxSteps)
}
