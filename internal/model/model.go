package main

import (
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// bounds of one exploration. Times are in ticks.
type bounds struct {
	name    string
	L, R, S uint8
	horizon uint8
	// acquires and renewals are how many of each write a candidate may send; a
	// try beside an unanswered acquire, and a repair, count as a renewal.
	acquires, renewals, creates uint8
	faults                      budget
	lazy                        bool  // the second candidate acquires once and renews nothing
	late                        bool  // the second candidate is yet to start
	missing                     bool  // the Lease is not there at first
	lateEvents                  bool  // watch events take their time; else they show the present
	deaths                      bool  // there is evidence of them
	updates                     bool  // the verb patch is refused: renewals compare UID and version
	holes                       holes // exceptions that are not made
	rules                       rules
}

// model explores one set of bounds. What decides is the protocol's own code: protocol.Candidate,
// protocol.Tenure, protocol.NextEpoch, protocol.Claim.Standing, protocol.Newer and fencing.Compare. Their
// answers are remembered.
type model struct {
	bounds
	records records
	known   known
	holding holding
	telling bool // steps are told; else nobody listens
	told    string
	out     []state
	stories []string
}

// records are the Leases there were, by number.
type records struct {
	all    []record
	leases []protocol.Record
	ids    map[record]uint16
	of     map[protocol.Record]uint16
}

func newModel(b bounds) *model {
	m := &model{
		bounds:  b,
		records: records{ids: map[record]uint16{}, of: map[protocol.Record]uint16{}},
		known:   newKnown(b), holding: newHolding(),
	}
	m.recordID(record{}) // 0
	m.candidateID(m.known.nobody)
	return m
}

func (m *model) initial() state {
	s := state{version: 1, nextUID: 1, nextTerm: 1, saved: unknown, left: m.faults}
	if !m.missing {
		s.record = m.recordID(record{uid: 1, version: 1})
		s.nextUID = 2
	}
	for i := range s.proc {
		p := &s.proc[i]
		*p = proc{acquires: m.acquires, renewals: m.renewals, creates: m.creates, greedy: i == 0}
		if i == 1 && m.lazy {
			p.acquires, p.renewals = 1, 0
		}
		m.observe(&s, p, event{listed: true, record: s.record, version: 1}, false, false)
		p.knows = m.proved(p.knows, s.record, 0)
	}
	if m.late {
		p := &s.proc[1]
		*p = proc{down: true, acquires: p.acquires, renewals: p.renewals, creates: p.creates}
	}
	return s
}

func (m *model) recordID(r record) uint16 {
	id, known := m.records.ids[r]
	if !known {
		id = uint16(len(m.records.all))
		if id == unknown {
			panic("model: bounds too large: too many records")
		}
		m.records.ids[r] = id
		m.records.all = append(m.records.all, r)
		m.records.leases = append(m.records.leases, r.lease())
		m.records.of[m.records.leases[id]] = id
	}
	return id
}

func (m *model) record(id uint16) record { return m.records.all[id] }

func (m *model) lease(id uint16) protocol.Record { return m.records.leases[id] }

// newToken is what protocol.Lock.Claim mints.
func (m *model) newToken(s *state, knows uint32) tok {
	v := m.who(knows).View()
	last := v.Last()
	in := protocol.EpochInputs{ResourceVersion: v.Newest(), Remembered: v.Epoch()}
	if in.ResourceVersion == "" || protocol.Newer(last.ResourceVersion, in.ResourceVersion) {
		in.ResourceVersion = last.ResourceVersion
	}
	in.Annotation, _ = last.Record.Epoch()
	if m.wrong(countingEpoch) {
		in.ResourceVersion, in.Remembered = "0", 0
	}
	epoch, _, err := protocol.NextEpoch(in)
	if err != nil || epoch > 250 || s.nextTerm > 250 {
		panic(fmt.Sprint("model: bounds too large: ", epoch, err))
	}
	t := tok{uint8(epoch), s.nextTerm}
	s.nextTerm++
	return t
}

// admits says whether the guard would admit t now, and whether that raises its
// mark.
func (s *state) admits(t tok) (admitted, raises bool) {
	if s.mark == (tok{}) {
		return true, true
	}
	order, err := fencing.Compare(token(t.epoch, t.term), token(s.mark.epoch, s.mark.term))
	return err == nil && order >= 0, err == nil && order > 0
}
