package main

// shows returns what p's watch may deliver: what has set out, or the present.
func (m *model) shows(s *state, p *proc) event {
	if p.event.present {
		return p.event
	}
	e := m.present(s, p)
	if m.lateEvents && !e.listed {
		return event{} // it has not set out yet
	}
	return e
}

// present is what p's watch would show of what is stored now: the change, if p was
// shown what it changed; else the watch has a gap there, and p lists again.
func (m *model) present(s *state, p *proc) event {
	last := m.known.saw[p.knows]
	news := last.record != s.record || s.record == 0 && last.version != s.version
	if s.stopped != 0 || !news && !p.relist {
		return event{}
	}
	e := event{present: true, record: s.record, before: s.before, last: s.last, version: s.version}
	if p.relist || s.after == 0 || s.after != last.shown {
		e.listed = true
		return e
	}
	if r := m.record(s.record); r.exists() {
		e.version = r.version
	}
	e.after = s.after
	return e
}

// deliver has p take in what its watch shows.
func (m *model) deliver(s *state, i int, e event) {
	p := &s.proc[i]
	p.event = event{}
	if e.listed {
		p.relist = false
	}
	before := p.knows
	m.observe(s, p, e, false, false)
	if before != p.knows && p.read.kind != 0 {
		p.read.overtaken = true
	}
	switch p.phase {
	case acquiring:
		if m.overtaken(p) {
			m.fail(p)
		}
	case term:
		if p.over {
			return
		}
		j := m.judge(judgement{claim: p.claim, event: e, now: s.now})
		if p.claim = j.claim; j.lost != "" {
			m.lose(s, p, j.lost)
		}
	}
}

// overtaken: somebody was faster.
func (m *model) overtaken(p *proc) bool {
	key := overtaken{p.knows, p.claim}
	is, known := m.holding.overtaken[key]
	if !known {
		is = m.who(p.knows).Beaten(m.acquiringTenure(p.claim))
		m.holding.overtaken[key] = is
	}
	return is
}

// ask is a read: a Get with a List beside it, or the List alone that begins a watch.
func (m *model) ask(s *state, kind readKind) read {
	e := event{present: true, listed: true, record: s.record, before: s.before, last: s.last, version: s.version}
	if r := m.record(s.record); kind == confirm && r.exists() {
		e.stored, e.version, e.newest = true, r.version, s.version
	}
	return read{kind: kind, event: e}
}

// heard takes the answer of a read in.
func (m *model) heard(s *state, p *proc) {
	r := p.read
	p.phase = standby
	switch r.kind {
	case first:
		m.observe(s, p, r.event, false, false)
	case confirm:
		m.observe(s, p, r.event, r.overtaken, true)
	case prove:
		p.knows = m.proved(p.knows, r.event.record, r.event.before)
	case trace:
		p.knows = m.found(p.knows, r.event.record, r.event.last)
	case inquest:
		p.knows = m.died(p.knows, r.event.record, s.now)
	}
	p.read = read{}
}
