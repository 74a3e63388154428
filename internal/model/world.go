package main

import "github.com/hotseat-go/hotseat/lease"

// next returns every state one step after s.
func (m *model) next(s state) []state {
	m.out, m.stories = m.out[:0], m.stories[:0]
	for i := range s.proc {
		if p := &s.proc[i]; p.phase == term && p.work == done && !p.paused {
			m.candidate(s, i) // nothing is gained by waiting
			return m.out
		}
	}
	for i := range s.proc {
		m.server(s, i)
		if p := &s.proc[i]; !p.down && !p.paused {
			m.candidate(s, i)
		}
		m.fate(s, i)
	}
	m.people(s)
	m.tick(s)
	return m.out
}

// server acts on requests, and on those whose client has given up, and puts
// events on their way.
func (m *model) server(s state, i int) {
	p := &s.proc[i]
	if r := p.request; r.kind == write && r.answer == 0 && !r.lost {
		t := s
		q := &t.proc[i].request
		q.answer = m.commit(&t, r.body, r.acquire, r.release)
		q.record, q.version = t.record, t.version
		m.say("the API server acts on %s's write: %s", m.name(&s, i), m.outcome(q.answer, &t))
		m.emit(t)
	}
	if p.ghost.present {
		t := s
		t.proc[i].ghost = ghost{}
		answer := m.commit(&t, p.ghost.body, p.ghost.acquire, false)
		m.say("a write that %s gave up on lands at last: %s", m.name(&s, i), m.outcome(answer, &t))
		m.emit(t)
	}
	if m.staleEvents && !p.down && !p.event.present && m.viewSaw[p.view].version != s.version {
		t := s
		t.proc[i].event = event{true, s.record, s.version}
		m.say("a watch event sets out to %s: %v", m.name(&s, i), m.records[s.record])
		m.emit(t)
	}
}

// commit is the API server's compare-and-swap.
func (m *model) commit(s *state, body uint16, acquire, release bool) uint8 {
	b, stored := m.records[body], m.records[s.record]
	switch {
	case !b.exists():
		panic("model: a write without a body")
	case b.uid == vacantUID && stored.exists(): // a create
		return conflict
	case b.uid != vacantUID && (!stored.exists() || stored.uid != b.uid):
		return conflict
	case b.uid != vacantUID && stored.version != b.version && (!release || !m.wrong(blindRelease)):
		return conflict
	}
	if b.uid == vacantUID {
		b.uid = s.nextUID
		s.nextUID++
	}
	switch {
	case b.term == 0: // an unheld Lease
	case acquire && b.epoch <= s.highest && !s.wentBack:
		s.bad = epochOrder
	case !acquire && stored.term != b.term && !s.wentBack: // versions repeat then
		s.bad = overwrote
	}
	s.highest = max(s.highest, b.epoch)
	m.store(s, b)
	return ok
}

func (m *model) store(s *state, r record) {
	s.version++
	if r.exists() {
		r.version = s.version
	}
	s.record = m.recordID(r)
}

// people delete, ship, edit, back up and restore.
func (m *model) people(s state) {
	stored := m.records[s.record]
	if stored.exists() && s.left.Deletes > 0 {
		t := s
		t.left.Deletes--
		m.store(&t, record{})
		m.say("somebody deletes the Lease")
		m.emit(t)
	}
	if !stored.exists() && s.left.Ships > 0 {
		t := s
		t.left.Ships--
		m.store(&t, record{uid: t.nextUID})
		t.nextUID++
		m.say("the Lease is shipped anew, unheld")
		m.emit(t)
	}
	if stored.holder != 0 && s.left.Clears > 0 {
		t := s
		t.left.Clears--
		stored.holder = 0
		m.store(&t, stored)
		m.say("somebody clears the holder by hand")
		m.emit(t)
	}
	if s.left.Bumped+s.left.Unbumped == 0 {
		return
	}
	if s.backedUp == 0 {
		t := s
		t.backup, t.backedUp = s.record, s.version
		m.say("the store is backed up: %v", m.records[s.record])
		m.emit(t)
		return
	}
	if !m.holes && m.hesitant(&s) {
		return
	}
	if s.left.Bumped > 0 {
		t := s
		t.left.Bumped--
		t.record, t.version = s.backup, s.version+1
		m.outage(&t)
		m.say("the store is restored with a bumped revision: %v", m.records[t.record])
		m.emit(t)
	}
	if s.left.Unbumped > 0 {
		t := s
		t.left.Unbumped--
		t.record, t.version, t.wentBack = s.backup, s.backedUp, true
		m.outage(&t)
		m.say("the store is restored without a bump: %v", m.records[t.record])
		m.emit(t)
	}
}

// hesitant reports whether a standby may acquire at once and has not tried. The
// model lets it try before a restore: one that does not (its hold-off runs), and
// whose watch tells it nothing either, would take the restored Lease for the one
// it knew (TestStatedHole).
func (m *model) hesitant(s *state) bool {
	for i := range s.proc {
		if p := &s.proc[i]; !p.down && p.phase == standby && m.decide(p.view, s.now, false) == lease.Acquire {
			return true
		}
	}
	return false
}

// outage: a restore stops the API server. What it has not acted on by then never
// lands, and a standby that was free to acquire has tried, and doubts what it saw.
func (m *model) outage(s *state) {
	for i := range s.proc {
		p := &s.proc[i]
		if p.request.kind == write && p.request.answer == 0 {
			p.request.lost = true
		}
		p.ghost, p.event = ghost{}, event{}
		if p.phase == standby && !p.down {
			p.view, p.fresh = m.doubt(p.view), false
		}
	}
}

// fate crashes, restarts, freezes and thaws a process.
func (m *model) fate(s state, i int) {
	p := &s.proc[i]
	switch {
	case p.down:
		if m.mayLookFirst(&s) {
			t := s
			q := &t.proc[i]
			*q = proc{
				incarnation: p.incarnation + 1, greedy: p.greedy, ghost: p.ghost, acquires: p.acquires, renewals: p.renewals, creates: p.creates,
				phase: confirm, request: s.ask(),
			}
			m.say("%s starts and looks at the Lease", m.name(&t, i))
			m.emit(t)
		}
		return
	case s.left.Crashes > 0:
		t := s
		t.left.Crashes--
		t.proc[i].abandon()
		q := &t.proc[i]
		*q = proc{
			down: true, incarnation: p.incarnation, greedy: p.greedy, ghost: q.ghost, acquires: p.acquires, renewals: p.renewals, creates: p.creates,
		}
		m.say("%s crashes", m.name(&s, i))
		m.emit(t)
	}
	if p.paused {
		t := s
		t.proc[i].paused = false
		m.say("%s thaws", m.name(&s, i))
		m.emit(t)
	} else if s.left.Pauses > 0 {
		t := s
		t.left.Pauses--
		t.proc[i].paused = true
		m.say("%s freezes", m.name(&s, i))
		m.emit(t)
	}
}

// mayLookFirst leaves out the stated hole: a process that never saw the Lease
// believes what it sees first, so the Lease must not have been replaced before.
func (m *model) mayLookFirst(s *state) bool {
	return m.holes || s.left.Deletes == m.faults.Deletes && s.left.Bumped == m.faults.Bumped && s.left.Unbumped == m.faults.Unbumped
}

// abandon gives up on the request in flight: a write may still land.
func (p *proc) abandon() {
	if r := p.request; r.kind == write && r.answer == 0 && !r.lost && !p.ghost.present {
		p.ghost = ghost{r.body, true, r.acquire}
	}
	p.request = request{}
}

// tick lets time pass, unless somebody who is not frozen is overdue.
func (m *model) tick(s state) {
	if s.now >= m.horizon || s.fresh() {
		return
	}
	working := 0
	for i := range s.proc {
		p := &s.proc[i]
		if p.work == running {
			working++
		}
		if p.down || p.paused || p.phase != term || m.wrong(noWatchdog) {
			continue
		}
		if !p.over && s.now >= p.claim.sent+m.R || p.over && p.work == running && s.now >= p.lostAt+m.S {
			return
		}
	}
	t := s
	if working > 1 && m.faults.Pauses == 0 {
		t.bad = overlap
	}
	t.now++
	for i := range t.proc {
		t.proc[i].fresh = false
	}
	m.say("one tick passes")
	m.emit(t)
}
