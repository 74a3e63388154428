package sim

import (
	"errors"

	"github.com/hotseat-go/hotseat/fencing"
)

// GuardCall is a call of the guard as its client knows it: an announcement or a
// checked write. Calls of a run overlap; a test looks for an order of them that
// explains all answers.
type GuardCall struct {
	Node     int
	Announce bool
	Token    fencing.Token
	Call     int64 // a number that grows with every call and answer
	Return   int64 // likewise; 0: the client heard no answer
	Err      error // the answer
	// Waited: it did not get its answer at once, and may have raised the mark
	// even if it was refused.
	Waited bool
}

// invoked takes in that a client calls the guard.
func (c *checker) invoked(m *message) {
	if m.from.node.Elector != Hotseat {
		return // its writes are not checked
	}
	c.ticks++
	m.call = len(c.calls)
	c.calls = append(c.calls, GuardCall{Node: m.from.node.index, Announce: m.job == nil, Token: m.token, Call: c.ticks})
}

// responded takes in that a client hears the guard's answer.
func (c *checker) responded(m *message, err error) {
	if m.from.node.Elector != Hotseat {
		return
	}
	c.ticks++
	c.calls[m.call].Return, c.calls[m.call].Err = c.ticks, err
}

// arrived takes in that a call reaches the guard: an exact one's mark rises now.
func (c *checker) arrived(m *message) {
	m.arrived = c.w.steps
	if order, conflict := fencing.Compare(m.token, c.mark); c.mark.IsZero() || conflict == nil && order > 0 {
		c.mark = m.token
	}
}

// decided checks the guard's decision at the step that it fell in.
func (c *checker) decided(m *message, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.calls[m.call].Waited = c.w.steps > m.arrived
	order, conflict := fencing.Compare(m.token, c.mark)
	older := false
	for other := range c.inFlight {
		older = older || other.token.Epoch < m.token.Epoch
	}
	right := false
	switch {
	case err == nil:
		right = m.token == c.mark && !older
	case errors.Is(err, fencing.ErrConflict):
		right = conflict != nil
	case errors.Is(err, fencing.ErrStale):
		right = conflict == nil && order < 0
	case errors.Is(err, fencing.ErrUnavailable):
		right = older
		c.w.hit(DrainTimeout)
	}
	if !right {
		c.violate("guard", "%v against mark %v, older effects in flight: %v: %v", m.token, c.mark, older, err)
	}
	switch {
	case err == nil && m.job != nil:
		c.inFlight[m] = struct{}{}
	case err != nil && m.job != nil && m.job.number < c.latest:
		c.stale(m, &c.writes.Refused)
	}
	if err == nil && m.token.Epoch > c.admitted.Epoch {
		c.admitted = m.token
	}
}

// affected checks a write that has its effect now.
func (c *checker) affected(m *message) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	delete(c.inFlight, m)
	fenced := m.from.node.Elector == Hotseat
	if fenced && c.w.plan.Guard != GuardAbsent && m.token.Epoch < c.admitted.Epoch {
		c.violate("guard", "a write with epoch %d had its effect after %d was admitted", m.token.Epoch, c.admitted.Epoch)
	}
	if m.job.number >= c.latest || !fenced && c.w.plan.Nodes[0].Elector == Hotseat {
		return
	}
	c.stale(m, &c.writes.Accepted)
	if fenced {
		c.violate("stale writes are refused", "%s wrote with epoch %d after a later term began", m.from.name, m.token.Epoch)
	}
}

// stale counts a write that arrived, or had its effect, after a later term began.
func (c *checker) stale(m *message, outcome *int) {
	if m.outbox {
		return // late on purpose
	}
	c.writes.Stale++
	*outcome++
	if m.job.frozen {
		c.writes.Frozen++
	}
}
