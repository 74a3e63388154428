package main

import (
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// Evidence of deaths: rules P1 to P5. Whose process is dead is known at once, to those who ask. What
// they hear late is only that somebody seems dead.

// traced says what a look at earlier versions shows of r, which replaced was: whether its claim is
// the last one. protocol.Lock.Trace gives up after a few versions, and then proves nothing.
func (m *model) traced(s *state, was, r uint16) bool {
	if !m.deaths {
		return false
	}
	return m.lease(r).Replaces(m.lease(was)) || s.last && m.lease(r).Continues(m.lease(was))
}

// dead reports whether the process is dead that is called that.
func (s *state) dead(holder uint8) bool {
	if holder == 0 || int(holder-1)/8 >= len(s.proc) {
		return false
	}
	p, incarnation := &s.proc[(holder-1)/8], (holder-1)%8
	return p.incarnation > incarnation || p.down && p.incarnation == incarnation
}

// suspect is what one knows who hears that the holder seems dead.
func (m *model) suspect(s *state, knows uint32) uint32 {
	r := m.seen(knows)
	if !m.deaths || r.told == 0 || !s.dead(r.holder) {
		return knows
	}
	return m.changeOf(change{kind: 7, knows: knows}, func(c *protocol.Candidate) *protocol.Candidate {
		return c.Suspect(termID(r.term))
	})
}

// found takes in what a look at earlier versions has shown of that record.
func (m *model) found(knows uint32, of uint16, last bool) uint32 {
	kind := uint8(8)
	if last || m.wrong(deathIsProof) {
		kind = 9
	}
	return m.changeOf(change{kind: kind, knows: knows, of: of}, func(c *protocol.Candidate) *protocol.Candidate {
		return c.Traced(m.lease(of), kind == 9)
	})
}

// died takes in that the holder in that record is dead.
func (m *model) died(knows uint32, of uint16, now uint8) uint32 {
	return m.changeOf(change{kind: 10, knows: knows, of: of, now: now}, func(c *protocol.Candidate) *protocol.Candidate {
		return c.Died(termID(m.record(of).term), instant(now))
	})
}
