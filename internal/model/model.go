package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
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
	updates                     bool  // the verb patch is refused: renewals compare UID and version
	holes                       holes // exceptions that are not made
	rules                       rules
}

// model explores one set of bounds. The protocol's pure functions are the real
// ones: of lease.View Observe, Proved, Seated, Vacated and Doubt, lease.Decide,
// lease.NextEpoch, lease.Claim.Standing, lease.Newer and fencing.Compare. Their
// answers are remembered.
type model struct {
	bounds
	records   []record
	leases    []lease.Record
	recordIDs map[record]uint16
	recordOf  map[lease.Record]uint16

	views    []lease.View
	viewIDs  map[lease.View]uint32
	viewSaw  []saw // the last observation of each view
	observed map[observation]seen
	changed  map[change]uint32
	decided  map[decision]lease.Decision

	standings map[standing]lease.Loss
	versions  map[[2]uint8]bool

	telling bool // steps are told; else nobody listens
	told    string
	out     []state
	stories []string
}

func newModel(b bounds) *model {
	m := &model{
		bounds: b, recordIDs: map[record]uint16{}, recordOf: map[lease.Record]uint16{}, viewIDs: map[lease.View]uint32{},
		observed: map[observation]seen{}, changed: map[change]uint32{}, decided: map[decision]lease.Decision{},
		standings: map[standing]lease.Loss{}, versions: map[[2]uint8]bool{},
	}
	m.recordID(record{}) // 0
	m.viewID(lease.View{})
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
		m.observe(&s, p, event{listed: true, record: s.record, version: 1}, false)
		p.view = m.proved(p.view, s.record, 0)
	}
	if m.late {
		p := &s.proc[1]
		*p = proc{down: true, acquires: p.acquires, renewals: p.renewals, creates: p.creates}
	}
	return s
}

func (m *model) recordID(r record) uint16 {
	id, known := m.recordIDs[r]
	if !known {
		id = uint16(len(m.records))
		if id == unknown {
			panic("model: bounds too large: too many records")
		}
		m.recordIDs[r] = id
		m.records = append(m.records, r)
		m.leases = append(m.leases, r.lease())
		m.recordOf[m.leases[id]] = id
	}
	return id
}

// saw is a view's last observation, in small numbers.
type saw struct {
	record  uint16
	version uint8 // of the look
	shown   uint8 // Observation.Version
	known   bool
}

func (m *model) viewID(v lease.View) uint32 {
	id, known := m.viewIDs[v]
	if !known {
		id = uint32(len(m.views))
		m.viewIDs[v] = id
		m.views = append(m.views, v)
		version, _ := strconv.Atoi(v.Last().ResourceVersion)
		shown, _ := strconv.Atoi(v.Last().Version())
		m.viewSaw = append(m.viewSaw, saw{m.recordOf[v.Record()], uint8(version), uint8(shown), v.Known()})
	}
	return id
}

// seen is a view's record.
func (m *model) seen(view uint32) record { return m.records[m.viewSaw[view].record] }

type observation struct {
	view uint32
	seen event
	at   uint8
	old  bool
}

type seen struct {
	view  uint32
	taken bool
}

// observe has p take in what e shows; old says that p has seen something since it
// asked for e. It reports whether e is what p now takes for the last thing seen.
func (m *model) observe(s *state, p *proc, e event, old bool) bool {
	key := observation{p.view, e, s.now, old}
	key.seen.before, key.seen.present = 0, true
	next, known := m.observed[key]
	if !known {
		next = m.observation(key)
		m.observed[key] = next
	}
	if next.taken {
		p.before = e.before
		if !m.records[e.record].provable() {
			p.before = unknown
		}
	}
	p.view, p.fresh = next.view, false
	return next.taken
}

func (m *model) observation(key observation) seen {
	e, before := key.seen, m.viewSaw[key.view]
	if m.wrong(uidIsNothing) && e.record != 0 && before.record != 0 {
		r := m.records[e.record]
		r.uid = m.records[before.record].uid
		e.record = m.recordID(r)
	}
	o := lease.Observation{
		Record: m.leases[e.record], Asked: instant(key.at).Add(time.Nanosecond), At: instant(key.at),
		ResourceVersion: strconv.Itoa(int(e.version)), Listed: e.listed, Stored: e.stored,
	}
	if key.old { // when it was asked counts only before or after what was seen last
		o.Asked = m.views[key.view].Last().At
	}
	if e.newest != 0 {
		o.Newest = strconv.Itoa(int(e.newest))
	}
	if e.after != 0 {
		o.After = strconv.Itoa(int(e.after))
	}
	if m.wrong(gapIsNone) && before.known {
		o.After = m.views[key.view].Last().Version()
	}
	v := m.views[key.view].Observe(o, time.Duration(m.L)*time.Second)
	return seen{m.viewID(v), v.Last() == o}
}

// change of a view that is no observation.
type change struct {
	kind   uint8
	view   uint32
	of     uint16 // proved: the record
	before uint16
	term   uint8 // seated
	until  uint8 // vacated
}

func (m *model) changeOf(c change, f func(lease.View) lease.View) uint32 {
	id, known := m.changed[c]
	if !known {
		id = m.viewID(f(m.views[c.view]))
		m.changed[c] = id
	}
	return id
}

func (m *model) doubt(view uint32) uint32 {
	return m.changeOf(change{kind: 1, view: view}, lease.View.Doubt)
}

func (m *model) proved(view uint32, of, before uint16) uint32 {
	return m.changeOf(change{kind: 2, view: view, of: of, before: before}, func(v lease.View) lease.View {
		if before == unknown {
			return v.Proved(m.leases[of], lease.Record{}, false)
		}
		return v.Proved(m.leases[of], m.leases[before], true)
	})
}

func (m *model) seated(view uint32, term uint8) uint32 {
	return m.changeOf(change{kind: 3, view: view, term: term}, func(v lease.View) lease.View { return v.Seated(termID(term)) })
}

func (m *model) vacated(view uint32, until uint8) uint32 {
	return m.changeOf(change{kind: 4, view: view, until: until}, func(v lease.View) lease.View { return v.Vacated(instant(until)) })
}

type decision struct {
	view  uint32
	now   uint8
	fresh bool
}

func (m *model) decide(view uint32, now uint8, fresh bool) lease.Decision {
	key := decision{view, now, fresh}
	d, known := m.decided[key]
	if !known {
		d = lease.Decide(m.views[view], instant(now), fresh)
		m.decided[key] = d
	}
	return d
}

type standing struct {
	claim  tok
	record uint16
	seen   uint16
}

// standing returns why a term is over that sees a record; empty: it stands.
func (m *model) standing(c claim, seen uint16) lease.Loss {
	key := standing{c.tok, c.record, seen}
	loss, known := m.standings[key]
	if !known {
		held := lease.Claim{Token: token(c.epoch, c.term), Record: m.leases[c.record]}
		if lost, isLost := held.Standing(m.leases[seen]).(*lease.LostError); isLost { //nolint:errorlint // it returns nothing else
			loss = lost.Loss
		}
		m.standings[key] = loss
	}
	return loss
}

// newToken is what lease.Lock.Claim mints.
func (m *model) newToken(s *state, view uint32) tok {
	v := m.views[view]
	last := v.Last()
	in := lease.EpochInputs{ResourceVersion: v.Newest(), Remembered: v.Epoch()}
	if in.ResourceVersion == "" || lease.Newer(last.ResourceVersion, in.ResourceVersion) {
		in.ResourceVersion = last.ResourceVersion
	}
	in.Annotation, _ = last.Record.Epoch()
	if m.wrong(countingEpoch) {
		in.ResourceVersion, in.Remembered = "0", 0
	}
	epoch, _, err := lease.NextEpoch(in)
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
