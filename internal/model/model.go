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
	// acquires and renewals are how many of each write a candidate may send.
	acquires, renewals, creates uint8
	faults                      budget
	missing                     bool // the Lease is not there at first
	staleEvents                 bool // watch events take their time; else they show the present
	// holes allows what the README says is not covered: a process whose first
	// look at the Lease comes right after a deletion or restore.
	holes bool
	rules rules
}

// rules are wrong rules, to see that the model can fail.
type rules uint16

const (
	countFromAnswer rules = 1 << iota // validity counts from the answer
	unheldIsFree                      // no holder means nobody is at work
	missingIsFree                     // a missing Lease too
	blindRelease                      // a release compares no version
	releaseFirst                      // released before work has returned
	lateAcquire                       // an acquire acknowledged late is started on
	noAnnounce                        // work starts without telling the guard
	countingEpoch                     // the epoch counts on from the annotation alone
	blindRewrite                      // after a conflict it writes again, whosever record it is
	noWatchdog                        // validity ends when somebody looks
	heldCreate                        // a missing Lease is created held, in one write
)

// model explores one set of bounds. The protocol's pure functions are the real
// ones: lease.View.Observe, lease.Decide, lease.NextEpoch, lease.Claim.Standing,
// lease.Newer and fencing.Compare, remembered by their arguments.
type model struct {
	bounds
	records   []record
	leases    []lease.Record
	recordIDs map[record]uint16
	views     []lease.View
	viewIDs   map[lease.View]uint16
	viewSaw   []event // the last observation of each view
	recordOf  map[lease.Record]uint16

	observed  map[observation]uint16
	decided   map[decision]lease.Action
	standings map[standing]lease.Loss

	telling bool // steps are told; else nobody listens
	told    string
	out     []state
	stories []string
}

func newModel(b bounds) *model {
	m := &model{
		bounds: b, recordIDs: map[record]uint16{}, viewIDs: map[lease.View]uint16{}, recordOf: map[lease.Record]uint16{},
		observed: map[observation]uint16{}, decided: map[decision]lease.Action{}, standings: map[standing]lease.Loss{},
	}
	m.recordID(record{}) // 0
	m.viewID(lease.View{})
	return m
}

func (m *model) wrong(r rules) bool { return m.rules&r != 0 }

func (m *model) initial() state {
	s := state{version: 1, nextUID: 1, nextTerm: 1, left: m.faults}
	if !m.missing {
		s.record = m.recordID(record{uid: 1, version: 1})
		s.nextUID = 2
	}
	for i := range s.proc {
		s.proc[i] = proc{acquires: m.acquires, renewals: m.renewals, creates: m.creates, greedy: i == 0}
		s.proc[i].view = m.observe(0, event{record: s.record, version: 1}, 0, 0, true)
	}
	return s
}

func (m *model) recordID(r record) uint16 {
	id, known := m.recordIDs[r]
	if !known {
		id = uint16(len(m.records))
		m.recordIDs[r] = id
		m.records = append(m.records, r)
		m.leases = append(m.leases, r.lease())
		m.recordOf[m.leases[id]] = id
	}
	return id
}

func (m *model) viewID(v lease.View) uint16 {
	id, known := m.viewIDs[v]
	if !known {
		id = uint16(len(m.views))
		if int(id) != len(m.views) {
			panic("model: bounds too large")
		}
		m.viewIDs[v] = id
		m.views = append(m.views, v)
		version, _ := strconv.Atoi(v.Last().ResourceVersion)
		m.viewSaw = append(m.viewSaw, event{record: m.recordOf[v.Record()], version: uint8(version)})
	}
	return id
}

type observation struct {
	view      uint16
	seen      event
	asked, at uint8
	listed    bool
}

func (m *model) observe(view uint16, seen event, asked, at uint8, listed bool) uint16 {
	key := observation{view, seen, asked, at, listed}
	id, known := m.observed[key]
	if !known {
		id = m.viewID(m.views[view].Observe(lease.Observation{
			Record: m.leases[seen.record], Asked: instant(asked), At: instant(at),
			ResourceVersion: fmt.Sprint(seen.version), Listed: listed,
		}, time.Duration(m.L)*time.Second))
		m.observed[key] = id
	}
	return id
}

func (m *model) doubt(view uint16) uint16 { return m.viewID(m.views[view].Doubt()) }

type decision struct {
	view  uint16
	now   uint8
	fresh bool
}

func (m *model) decide(view uint16, now uint8, fresh bool) lease.Action {
	key := decision{view, now, fresh}
	action, known := m.decided[key]
	if !known {
		action = lease.Decide(m.views[view], instant(now), fresh).Action
		m.decided[key] = action
	}
	r := m.views[view].Record()
	if r.Exists() && r.Holder() == "" && m.wrong(unheldIsFree) {
		return lease.Acquire
	}
	return action
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

// newToken is what lease.Lock.Acquire mints.
func (m *model) newToken(s *state, view uint16) tok {
	last := m.views[view].Last()
	annotation, _ := last.Record.Epoch()
	in := lease.EpochInputs{Annotation: annotation, ResourceVersion: last.ResourceVersion, Remembered: m.views[view].Epoch()}
	if m.wrong(countingEpoch) {
		in = lease.EpochInputs{Annotation: annotation, ResourceVersion: "0"}
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

// say tells what the next emitted step is.
func (m *model) say(format string, args ...any) {
	if m.telling {
		m.told = fmt.Sprintf(format, args...)
	}
}

// emit is a step to t. The first violation stays.
func (m *model) emit(t state) {
	if t.bad == none && t.twoAdmitted() {
		t.bad = admittedTwo
	}
	m.out = append(m.out, t)
	if m.telling {
		m.stories = append(m.stories, m.told)
	}
}

func (s *state) twoAdmitted() bool {
	admitted := 0
	if s.nStarted < 2 {
		return false
	}
	for _, t := range s.started[:s.nStarted] {
		if yes, _ := s.admits(t); yes {
			admitted++
		}
	}
	return admitted > 1
}
