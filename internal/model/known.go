package main

import (
	"strconv"
	"time"

	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// known is what candidates know, by number, and what came of it before.
type known struct {
	nobody   *protocol.Candidate // knows nothing
	all      []*protocol.Candidate
	ids      map[protocol.Candidate]uint32
	saw      []saw // the last observation of each
	observed map[observation]seen
	changed  map[change]uint32
	decided  map[decision]protocol.Decision
}

// newKnown has candidates that make no pauses: any delay is possible anyhow.
func newKnown(b bounds) known {
	tick := func(n uint8) time.Duration { return time.Duration(n) * time.Second }
	self := &protocol.Self{
		Timing: lease.Timing{LeaseDuration: tick(b.L), RenewDeadline: tick(b.R), RetryPeriod: 2},
		Draw:   func(time.Duration) time.Duration { return 0 },
	}
	return known{
		nobody: protocol.NewCandidate(self, nil, instant(0)), ids: map[protocol.Candidate]uint32{},
		observed: map[observation]seen{}, changed: map[change]uint32{}, decided: map[decision]protocol.Decision{},
	}
}

// saw is a candidate's last observation, in small numbers.
type saw struct {
	record  uint16
	version uint8 // of the look
	shown   uint8 // Observation.Version
	known   bool
}

func (m *model) who(id uint32) *protocol.Candidate { return m.known.all[id] }

func (m *model) candidateID(c *protocol.Candidate) uint32 {
	c = c.Standby() // it makes no pauses
	id, known := m.known.ids[*c]
	if !known {
		id = uint32(len(m.known.all))
		m.known.ids[*c] = id
		m.known.all = append(m.known.all, c)
		v := c.View()
		version, _ := strconv.Atoi(v.Last().ResourceVersion)
		shown, _ := strconv.Atoi(v.Last().Version())
		m.known.saw = append(m.known.saw, saw{m.records.of[v.Record()], uint8(version), uint8(shown), v.Known()})
	}
	return id
}

// seen is the record that a candidate saw last.
func (m *model) seen(knows uint32) record { return m.record(m.known.saw[knows].record) }

type observation struct {
	knows   uint32
	seen    event
	at      uint8
	old     bool
	confirm bool
}

type seen struct {
	knows uint32
	taken bool
}

// observe has p take in what e shows; old says that p has seen something since it
// asked for e, and confirm that it asked to decide on that.
func (m *model) observe(s *state, p *proc, e event, old, confirm bool) {
	key := observation{p.knows, e, s.now, old, confirm}
	key.seen.before, key.seen.last, key.seen.present = 0, false, true
	next, known := m.known.observed[key]
	if !known {
		next = m.observation(key)
		m.known.observed[key] = next
	}
	if next.taken {
		p.before, p.last = e.before, e.last
		if !m.record(e.record).provable() {
			p.before = unknown
		}
	}
	p.knows = next.knows
}

func (m *model) observation(key observation) seen {
	e, before := key.seen, m.known.saw[key.knows]
	if m.wrong(uidIsNothing) && e.record != 0 && before.record != 0 {
		r := m.record(e.record)
		r.uid = m.record(before.record).uid
		e.record = m.recordID(r)
	}
	c := m.who(key.knows)
	o := m.look(e, key.at)
	if key.old { // when it was asked counts only before or after what was seen last
		o.Asked = c.View().Last().At
	}
	if m.wrong(gapIsNone) && before.known {
		o.After = c.View().Last().Version()
	}
	next := c.Observe(o, instant(key.at))
	if key.confirm {
		next, _ = c.Confirmed(o, instant(key.at))
	}
	return seen{m.candidateID(next), next.View().Last() == o}
}

// look is what e shows, as package lease knows it.
func (m *model) look(e event, at uint8) protocol.Observation {
	o := protocol.Observation{
		Record: m.lease(e.record), Asked: instant(at).Add(time.Nanosecond), At: instant(at),
		ResourceVersion: strconv.Itoa(int(e.version)), Listed: e.listed, Stored: e.stored,
	}
	if e.newest != 0 {
		o.Newest = strconv.Itoa(int(e.newest))
	}
	if e.after != 0 {
		o.After = strconv.Itoa(int(e.after))
	}
	return o
}

// change of what a candidate knows that is no observation.
type change struct {
	kind   uint8
	knows  uint32
	now    uint8
	of     uint16 // proved: the record
	before uint16
	claim  claim // acquired, vacated
}

func (m *model) changeOf(c change, f func(*protocol.Candidate) *protocol.Candidate) uint32 {
	id, known := m.known.changed[c]
	if !known {
		id = m.candidateID(f(m.who(c.knows)))
		m.known.changed[c] = id
	}
	return id
}

// failed: an attempt came to nothing.
func (m *model) failed(knows uint32) uint32 {
	return m.changeOf(change{kind: 1, knows: knows}, func(c *protocol.Candidate) *protocol.Candidate {
		next, _ := c.Failed(protocol.Decision{}, lease.ErrUnavailable, instant(0))
		return next
	})
}

func (m *model) proved(knows uint32, of, before uint16) uint32 {
	return m.changeOf(change{kind: 2, knows: knows, of: of, before: before}, func(c *protocol.Candidate) *protocol.Candidate {
		looked := before != unknown
		if !looked {
			before = 0
		}
		next, _ := c.Proved(m.lease(of), m.lease(before), looked)
		return next
	})
}

func (m *model) acquired(knows uint32, c claim, now uint8) uint32 {
	return m.changeOf(change{kind: 3, knows: knows, claim: c, now: now}, func(k *protocol.Candidate) *protocol.Candidate {
		return k.Acquired(m.tenure(c, false), instant(now))
	})
}

func (m *model) vacated(knows uint32, c claim) uint32 {
	return m.changeOf(change{kind: 4, knows: knows, claim: c}, func(k *protocol.Candidate) *protocol.Candidate {
		return k.Vacated(m.tenure(c, true))
	})
}

// waited: a time has come.
func (m *model) waited(knows uint32) uint32 {
	return m.changeOf(change{kind: 6, knows: knows}, (*protocol.Candidate).Waited)
}

type decision struct {
	knows uint32
	now   uint8
}

func (m *model) decide(knows uint32, now uint8) protocol.Decision {
	key := decision{knows, now}
	d, known := m.known.decided[key]
	if !known {
		d = m.who(knows).Next(instant(now), true)
		m.known.decided[key] = d
	}
	return d
}
