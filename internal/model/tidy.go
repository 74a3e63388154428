package main

import "github.com/hotseat-go/hotseat/internal/protocol"

// tidy forgets what has no effect any more, so that it does not tell states apart.
func (m *model) tidy(p *proc) {
	w := &p.writes
	for i := 1; i < len(w); i++ { // their places say nothing
		for j := i; j > 0 && w[j-1].less(w[j]); j-- {
			w[j-1], w[j] = w[j], w[j-1]
		}
	}
	if p.acquires > 0 || p.down {
		return
	}
	// It is in its last term, or through with it.
	p.creates = 0
	switch p.phase {
	case standby, reading, creating:
		*p = proc{incarnation: p.incarnation, behind: p.behind, paused: p.paused, through: true, writes: p.writes, wrote: p.wrote}
	default:
		p.knows, p.before = m.lastOf(p.knows), unknown
	}
}

// lastOf is a candidate that knows no more than the last thing the other one saw.
func (m *model) lastOf(knows uint32) uint32 {
	return m.changeOf(change{kind: 5, knows: knows}, func(c *protocol.Candidate) *protocol.Candidate {
		o := c.View().Last()
		o.Asked, o.At, o.Newest, o.After, o.Listed, o.Stored = instant(0), instant(0), "", "", false, false
		return m.known.nobody.Observe(o, instant(0))
	})
}
