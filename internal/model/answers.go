package main

// answers lets the request of process i end: its client gives up, or takes the
// answer in, if there is one.
func (m *model) answers(s state, i int) {
	t := s
	if r := s.proc[i].request; r.kind == write && !r.vacant { // to give up on a List, or a create, is to ask later
		m.giveUp(&t, i)
		m.say("%s gives up waiting for an answer", m.name(&s, i))
		m.emit(t)
	}
	if s.proc[i].request.answer == 0 {
		return
	}
	t = s
	m.say("%s hears: %s", m.name(&s, i), m.heard(s.proc[i].request))
	m.answered(&t, i)
	m.emit(t)
}

func (m *model) heard(r request) string {
	switch {
	case r.answer == conflict:
		return "409 conflict"
	case r.kind == list:
		return m.records[r.record].String()
	}
	return "it is written"
}

func (m *model) giveUp(s *state, i int) {
	p := &s.proc[i]
	p.abandon()
	switch p.phase {
	case acquiring:
		p.phase, p.request = adopting, s.ask()
	case adopted:
		m.fail(p)
	case releasing:
		m.standBy(p)
	}
}

// fail is an attempt that came to nothing: run.settle.
func (m *model) fail(p *proc) {
	p.view = m.doubt(p.view)
	m.standBy(p)
}

func (m *model) answered(s *state, i int) {
	p := &s.proc[i]
	r := p.request
	p.request = request{}
	switch {
	case r.vacant:
		if p.phase = standby; r.answer == conflict {
			m.fail(p)
			return
		}
		p.view = m.observe(p.view, event{record: r.record, version: m.records[r.record].version}, s.now, s.now, false)
	case p.phase == confirm:
		p.phase, p.fresh = standby, m.views[p.view].Known()
		p.view = m.observe(p.view, event{record: r.record, version: r.version}, r.sent, s.now, true)
	case p.phase == acquiring && r.answer == ok, p.phase == adopted && r.answer == ok:
		m.begin(s, p, r)
	case p.phase == acquiring, p.phase == adopted:
		m.fail(p)
	case p.phase == adopting:
		if c := m.records[r.record]; c.term != p.claim.term || c.holder != s.self(i) || p.renewals == 0 {
			m.fail(p)
			return
		}
		p.phase = adopted
		p.claim.record = r.record
		m.sendRenewal(s, i, r.record)
	case r.reread:
		m.rereadTerm(s, i, r)
	case r.answer == conflict:
		p.request = s.ask()
		p.request.reread, p.request.release = true, r.release
	case p.phase == releasing:
		m.standBy(p)
	case p.phase == term && !r.release:
		p.claim.record, p.claim.sent = r.record, m.sentAt(s, r)
		p.view = m.observe(p.view, event{record: r.record, version: m.records[r.record].version}, s.now, s.now, false)
	}
}

func (m *model) sentAt(s *state, r request) uint8 {
	if m.wrong(countFromAnswer) {
		return s.now
	}
	return r.sent
}

// begin is an acknowledged acquire: it counts only if it came in time.
func (m *model) begin(s *state, p *proc, r request) {
	p.claim.record, p.claim.sent = r.record, m.sentAt(s, r)
	if s.now >= p.claim.sent+m.R && !m.wrong(lateAcquire) {
		m.fail(p)
		return
	}
	p.view = m.observe(p.view, event{record: r.record, version: m.records[r.record].version}, s.now, s.now, false)
	p.phase, p.fresh, p.vanishedUntil, p.vanishedUID = term, false, 0, 0
	p.work, p.ctxOver, p.over, p.deleted = untold, false, false, false
}

// rereadTerm is Lock.reread after a conflict: the same write again only over
// the same term.
func (m *model) rereadTerm(s *state, i int, r request) {
	p := &s.proc[i]
	loss := m.standing(p.claim, r.record)
	if m.wrong(blindRewrite) && m.records[r.record].exists() {
		loss = ""
	}
	switch {
	case loss != "" && p.phase == releasing:
		m.standBy(p)
	case loss != "":
		p.lose(s.now, loss)
	case r.release:
		p.claim.record = r.record
		m.sendRelease(s, i)
	case p.renewals > 0:
		m.sendRenewal(s, i, r.record)
	}
}
