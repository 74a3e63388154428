package main

// The requests that write, as protocol.Lock makes them: each call goes on after a
// refusal, on a goroutine of its own, until it has an answer for the loop.

// prolonging is a write that tests the term.
func (m *model) prolonging(s *state, i int, by call) write {
	p := &s.proc[i]
	c, r := p.claim, m.record(p.claim.record)
	w := write{call: by, stage: prolong, sent: s.now}
	stamp := m.stamp(s, i)
	if !m.updates {
		w.body = m.recordID(record{uid: r.uid, holder: s.self(i), epoch: c.epoch, term: c.term, renew: stamp, told: c.after})
		return w
	}
	w.stage, w.over, w.body = swap, c.record, m.recordID(m.held(r, s.self(i), c, stamp))
	if by == ensure {
		w.over = c.from
	}
	return w
}

// rewriting is a swap of the whole term over what was read.
func (m *model) rewriting(s *state, i int, by call, over uint16) write {
	c, stamp := s.proc[i].claim, m.stamp(s, i)
	body := m.held(m.record(over), s.self(i), c, stamp)
	switch by {
	case take, ensure:
		body = m.taken(m.record(over), s.self(i), c, stamp)
	case release:
		body = m.released(m.record(over), s.self(i), c, stamp)
	}
	return write{call: by, stage: swap, sent: s.now, body: m.recordID(body), over: over}
}

// answers lets a call of process i take its answer in.
func (m *model) answers(s state, i int) {
	for k, w := range s.proc[i].writes {
		if w.answer == 0 || w.answer == refused && s.stopped != 0 {
			continue // not yet, or what comes next cannot be sent yet
		}
		t := s
		t.proc[i].writes[k] = write{}
		switch {
		case w.stage == get:
			m.say("%s reads what refused it: %s", m.name(&s, i), m.text(w.record))
			m.reread(&t, i, w)
		case w.answer == refused:
			m.say("%s hears: refused", m.name(&s, i))
			m.refused(&t, i, w)
		default:
			m.say("%s hears: it is written", m.name(&s, i))
			m.acknowledged(&t, i, w)
		}
		m.emit(t)
	}
}

func (m *model) acknowledged(s *state, i int, w write) {
	p := &s.proc[i]
	switch {
	case w.call == create: // the watch has to show it
		m.fail(p)
	case w.call == release && p.phase == releasing:
		m.standBy(p)
	case w.call == release: // only wrong rules come here
	case p.phase == acquiring:
		m.begin(s, i, w)
	default:
		m.extend(s, p, w)
	}
}

// counts is when an acknowledged write counts from.
func (m *model) counts(s *state, p *proc, w write) uint8 {
	switch {
	case m.wrong(countFromAnswer):
		return s.now
	case m.wrong(countFromLast):
		for _, other := range p.writes {
			if other.call != 0 && !other.ghost && other.stage != get {
				w.sent = max(w.sent, other.sent)
			}
		}
	}
	return w.sent
}

// begin is an acknowledged acquire: it counts only if it came within RenewDeadline of
// the first try.
func (m *model) begin(s *state, i int, w write) {
	p := &s.proc[i]
	sent := m.counts(s, p, w)
	began := p.claim.sent
	if m.wrong(patientAcquire) {
		began = sent
	}
	answered := p.claim
	answered.record, answered.sent = w.record, began
	if j := m.judge(judgement{claim: p.claim, acquiring: true, answer: answered, now: s.now}); !j.begun && !m.wrong(lateAcquire) {
		return
	}
	p.claim.record, p.claim.sent = w.record, sent
	if m.deaths {
		p.claim.after = m.record(w.record).version
	}
	p.phase = term
	p.knows, p.before = m.acquired(p.knows, p.claim, s.now), unknown
	p.claim.from = 0
}

// see takes in a record that an acknowledgement carried.
func (m *model) see(s *state, p *proc, record uint16) {
	m.observe(s, p, event{record: record, before: unknown, version: m.record(record).version, stored: true}, false, false)
}

// extend is an acknowledged renewal.
func (m *model) extend(s *state, p *proc, w write) {
	if p.over && m.wrong(reviveOver) && s.now < w.sent+m.R {
		p.over, p.ctxOver = false, false
	}
	answered := p.claim
	answered.record, answered.sent = w.record, m.counts(s, p, w)
	j := m.judge(judgement{claim: p.claim, over: p.over, answer: answered, now: s.now})
	p.claim = j.claim
	if j.begun {
		m.see(s, p, w.record)
	}
}

// refused goes on after a write that met something else.
func (m *model) refused(s *state, i int, w write) {
	p := &s.proc[i]
	switch {
	case w.call == create, w.stage == put:
		m.fail(p)
		return
	case w.call == ensure && w.stage == prolong:
		if place, free := p.free(); free {
			*place = m.rewriting(s, i, take, p.claim.from)
		}
		return
	}
	w.stage, w.body, w.over, w.sent = get, 0, 0, 0
	w.record = s.record
	if s.stopped == 0 {
		if place, free := p.free(); free {
			*place = w
		}
	}
}

// reread goes on after a look at what refused a write: the same write again only
// over the same term.
func (m *model) reread(s *state, i int, w write) {
	p := &s.proc[i]
	loss := m.standing(p.claim, w.record)
	if m.wrong(blindRewrite) && m.record(w.record).exists() {
		loss = ""
	}
	place, free := p.free()
	switch {
	case loss != "" && p.phase == releasing:
		m.standBy(p)
	case loss != "" && p.phase == acquiring:
		m.fail(p)
	case loss != "" && w.call == renew:
		met := p.claim
		met.record = w.record
		m.lose(s, p, m.judge(judgement{claim: p.claim, over: p.over, answer: met, lost: loss, now: s.now}).lost)
	case loss != "" || !free:
	case w.call == release:
		p.claim.record = w.record
		*place = m.rewriting(s, i, release, w.record)
	case p.renewals == 0:
	case w.call == take:
		p.renewals--
		p.claim.record = w.record
		*place = m.prolonging(s, i, renew)
	default:
		p.renewals--
		*place = m.rewriting(s, i, renew, w.record)
	}
}
