package sim

import (
	"bytes"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// answered takes in that a process hears that its request succeeded.
func (c *checker) answered(m *message, a answer) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	switch o := a.object.(type) {
	case *coordv1.Lease:
		c.show(m.from, o)
		if m.writes() {
			c.acknowledged(m, o)
		}
	case *coordv1.LeaseList:
		latest := m.from.latest
		for i := range o.Items {
			c.show(m.from, &o.Items[i])
		}
		if m.exact { // of the past
			m.from.latest = latest
		}
	}
}

// watched takes in that a watch shows a process the Lease.
func (c *checker) watched(p *process, l *coordv1.Lease) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.show(p, l)
}

// acknowledged takes in that a write which took or kept a term was. Answers come
// in any order: what counts is the write that was sent last.
func (c *checker) acknowledged(m *message, stored *coordv1.Lease) {
	p, term := m.from, stored.Annotations[lease.AnnotationTerm]
	if h := stored.Spec.HolderIdentity; h != nil && *h != "" && m.sent.After(p.acknowledged[term]) {
		p.acknowledged[term] = m.sent
	}
}

// show takes in that a process is shown the Lease.
func (c *checker) show(p *process, l *coordv1.Lease) {
	p.shown[l.Annotations[lease.AnnotationTerm]] = true
	if born := c.born[l.UID]; p.oldest.IsZero() || born.Before(p.oldest) {
		p.oldest = born
	}
	p.latest = l.ResourceVersion
}

// requested checks a request as it is sent.
func (c *checker) requested(m *message) {
	if m.from.node.Elector != Hotseat || m.local() {
		return
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.asked++
	if most := m.most(); m.deadline.IsZero() || m.verb != "watch" && m.deadline.Sub(m.sent) > most {
		c.violate("deadlines", "%s sent a %s with %v to answer, at most it may be %v", m.from.name, m.verb, m.deadline.Sub(m.sent), most)
	}
	if c.w.now() <= c.w.plan.quiet() || c.w.closing {
		return
	}
	if m.renews() {
		c.renewals++
	} else {
		c.others++
	}
}

// most is how long the answer to a request can be of use: no term is valid for
// longer. The Leases of a whole namespace may take longer than one; a standby
// that needs to know lists its own.
func (m *message) most() time.Duration {
	most := m.from.world.plan.timing(m.from.node.Node).RenewDeadline
	if m.verb == "list" && m.selector == "" {
		most += most / 3
	}
	return most
}

// renews reports whether m is to keep a term that its process knows to have: a
// patch that writes its time alone, or an update.
func (m *message) renews() bool {
	switch m.verb {
	case "patch":
		return bytes.Contains(m.patch, []byte(`"/spec/renewTime"`))
	case "update":
		return !m.from.acknowledged[m.lease.Annotations[lease.AnnotationTerm]].IsZero()
	}
	return false
}

// checkTraffic: in the quiet end of a run the active renews, and everybody's
// watch may end once.
func (c *checker) checkTraffic() {
	p := c.w.plan
	window := p.Length - p.quiet()
	if window <= 0 || !p.Pure() {
		return
	}
	period := p.timing(Node{Fast: p.FastLease > 0}).RetryPeriod
	if budget := int(window/period) + 2; c.renewals > budget {
		c.violate("traffic", "%d renewals in the last %v, the budget is %d", c.renewals, window, budget)
	}
	if budget := 2 * len(p.Nodes); c.others > budget {
		c.violate("traffic", "%d requests in the last %v besides renewals, the budget is %d", c.others, window, budget)
	}
}

// hurried takes in that a run has too many events. client-go's elector may be what
// hurries: nothing stops it when it releases what the server refuses to have written.
func (c *checker) hurried() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.plan.Pure() || c.asked > maxSteps/8 {
		c.violate("no haste", "%d events: somebody asks without a pause", maxSteps)
	}
}
