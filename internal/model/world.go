package main

// next returns every state one step after s.
func (m *model) next(s state) []state {
	m.out, m.stories = m.out[:0], m.stories[:0]
	if s.now >= m.horizon || s.quiet() {
		return m.out
	}
	for i := range s.proc {
		if p := &s.proc[i]; p.phase == term && p.work == done && !p.paused {
			m.term(s, i) // nothing is gained by waiting
			return m.out
		}
	}
	for i := range s.proc {
		m.server(s, i)
		if p := &s.proc[i]; !p.down && !p.paused && !p.through {
			m.candidate(s, i)
		}
		m.fate(s, i)
	}
	m.people(s)
	m.disaster(s)
	m.tick(s)
	return m.out
}

// server acts on writes, also on those whose client has given up, in any order, and
// puts events on their way.
func (m *model) server(s state, i int) {
	if s.stopped != 0 {
		return
	}
	p := &s.proc[i]
	for k, w := range p.writes {
		if w.call == 0 || w.answer != 0 || w.stage == get {
			continue
		}
		t := s
		outlasted := w.sent+1 < s.restored && !m.shown(onTheirWay)
		landed := m.commit(&t, w, p.behind != 0 && !m.shown(behind) || outlasted)
		if landed && outlasted && w.acquires() {
			t.proc[i].outlasted = s.restored
		}
		answered := &t.proc[i].writes[k]
		*answered = write{}
		switch {
		case w.ghost:
		case landed:
			*answered = write{call: w.call, stage: w.stage, sent: w.sent, answer: ok, record: t.record}
		default:
			*answered = write{call: w.call, stage: w.stage, answer: refused}
		}
		if m.telling {
			m.say("the API server acts on %s: %s", m.writeText(&s, i, w), m.outcome(&t, landed))
		}
		m.emit(t)
	}
	if m.lateEvents && !p.down && !p.through && !p.event.present {
		if e := m.present(&s, p); e.present && !e.listed {
			t := s
			t.proc[i].event = e
			m.say("a watch event sets out to %s: %s", m.name(&s, i), m.text(s.record))
			m.emit(t)
		}
	}
}

func (m *model) writeText(s *state, i int, w write) string {
	what := [...]string{"", "acquire", "acquire", "renewal", "release", "create"}[w.call]
	if w.ghost {
		return "a given-up " + what + " of " + m.name(s, i)
	}
	return m.name(s, i) + "'s " + what
}

func (m *model) outcome(s *state, landed bool) string {
	if !landed {
		return "refused"
	}
	return "the Lease is now " + m.text(s.record)
}

// commit is the API server's test and write. late: a writer that a restore left behind
// may have read before it, and repeat an epoch; so may a write that outlasted it.
func (m *model) commit(s *state, w write, late bool) bool {
	b, stored := m.record(w.body), m.record(s.record)
	if !m.admitted(w, b, stored) {
		return false
	}
	switch w.stage {
	case put:
		b.uid = s.nextUID
		s.nextUID++
	case prolong:
		renew, told := b.renew, b.told
		b = stored
		b.renew, b.duration, b.told = renew, m.L, told
	case swap:
		b.uid = stored.uid
		if m.wrong(releaseByContent) && b.released != 0 {
			b.released = stored.version
		}
	}
	switch {
	case b.term == 0: // an unheld Lease
	case w.acquires() && stored.term != b.term && b.epoch <= s.highest.epoch && b.term != s.highest.term && !s.wentBack && !late:
		s.bad = epochOrder
	case !w.acquires() && stored.term != b.term && !s.wentBack: // versions repeat then
		s.bad = overwrote
	}
	if b.epoch > s.highest.epoch {
		s.highest = tok{b.epoch, b.term}
	}
	m.store(s, b)
	return true
}

// admitted reports whether the tests in a write hold.
func (m *model) admitted(w write, b, stored record) bool {
	over := m.record(w.over)
	switch {
	case w.stage == put:
		return !stored.exists()
	case !stored.exists():
		return false
	case w.stage == prolong:
		return stored.uid == b.uid && stored.holder == b.holder && stored.term == b.term
	case m.wrong(uidIsNothing):
		over.uid = stored.uid
	case w.call == release && m.wrong(blindRelease):
		return stored.uid == b.uid
	case w.call == release && m.wrong(releaseByContent):
		over.version = stored.version
	case m.updates, m.wrong(versionOnly):
		return stored.uid == over.uid && stored.version == over.version
	}
	return stored == over
}

// store is a write of the Lease, whoever makes it.
func (m *model) store(s *state, r record) {
	was := m.record(s.record)
	if !r.saysAs(was) {
		s.before = s.record
	}
	if !r.provable() {
		s.before = unknown // nobody asks
	}
	if s.after = s.version; was.exists() {
		s.after = was.version
	}
	s.version++
	if r.exists() {
		r.version = s.version
	}
	id := m.recordID(r)
	s.last = m.traced(s, s.record, id)
	s.record = id
}

// tick lets time pass, unless somebody who is not frozen is overdue.
func (m *model) tick(s state) {
	if s.idle() {
		return
	}
	working := 0
	for i := range s.proc {
		p := &s.proc[i]
		if p.work == running {
			working++
		}
		switch {
		case p.down || p.paused || m.wrong(noWatchdog):
			continue
		case m.overdue(&s, p):
			return // it has to give up
		case p.phase != term:
			continue
		}
		if !p.over && s.now >= p.claim.sent+m.R || p.over && p.work == running && s.now >= p.lostAt+m.S {
			return
		}
	}
	t := s
	if working > 1 && m.faults.Pauses == 0 && !m.excused(&s) {
		t.bad = overlap
	}
	t.now++
	for i := range t.proc {
		if t.proc[i].phase != reading { // a proof that takes its time leaves it so
			t.proc[i].knows = m.waited(t.proc[i].knows)
		}
	}
	m.say("one tick passes")
	m.emit(t)
}

// overdue: whoever acquires gives up after RenewDeadline, and whoever releases when
// validity ends.
func (m *model) overdue(s *state, p *proc) bool {
	return s.now >= p.claim.sent+m.R &&
		(p.phase == acquiring && !m.wrong(patientAcquire|lateAcquire) || p.phase == releasing && !m.wrong(lateRelease))
}

// excused reports whether the later term is that of a process which could
// not know of the other: it never saw the Lease before it was shipped anew or
// restored, or a restore has just wiped out what it had not been shown yet; or the acquire of
// either was on its way while the store was restored. The README says so.
func (m *model) excused(s *state) bool {
	for i := range s.proc {
		if p := &s.proc[i]; p.outlasted != 0 && s.now < p.outlasted-1+m.L {
			return true
		}
	}
	later := &s.proc[0]
	if s.proc[1].claim.term > later.claim.term {
		later = &s.proc[1]
	}
	return later.newcomer && !m.shown(newcomers) || later.behind != 0 && s.now < later.behind-1+m.L && !m.shown(behind)
}

// quiet: nobody will start work any more that is not alone.
func (s *state) quiet() bool {
	a, b := &s.proc[0], &s.proc[1]
	if b.through {
		a, b = b, a
	}
	return a.through && (b.through || b.acquires == 0 && !b.down && b.phase == term && b.work >= running)
}
