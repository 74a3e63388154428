package sim

import (
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// acknowledged takes in that a process learned of its write's success.
func (c *checker) acknowledged(m *message) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if m.verb == "create" || m.verb == "update" {
		if m.lease.Spec.HolderIdentity != nil && *m.lease.Spec.HolderIdentity != "" {
			m.from.acknowledged = m.sent
		}
	}
}

// show takes in that a process is shown the Lease.
func (c *checker) show(p *process, l *coordv1.Lease) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	p.shown[l.Annotations[lease.AnnotationTerm]] = true
	p.latest = l.ResourceVersion
}

// requested checks a request as it is sent.
func (c *checker) requested(m *message) {
	if m.from.node.Elector != Hotseat || m.local() {
		return
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	most := c.w.plan.timing(m.from.node.Node).RenewDeadline / 3
	if m.verb == "list" && m.selector == "" {
		most *= 4 // a namespace's Leases may take longer than one; a standby that needs to know lists its own
	}
	if m.deadline.IsZero() || m.verb != "watch" && m.deadline.Sub(m.sent) > most {
		c.violate("deadlines", "%s sent a %s with %v to answer", m.from.name, m.verb, m.deadline.Sub(m.sent))
	}
	if c.w.now() > c.w.plan.quiet() && !c.w.closing {
		c.requests++
	}
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
