package main

import (
	"fmt"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// candidate takes each step that process i may take.
func (m *model) candidate(s state, i int) {
	p := &s.proc[i]
	if e := m.shows(&s, p); e.present && p.phase != releasing && p.read.kind != first {
		t := s
		m.deliver(&t, i, e)
		how := "watch delivers"
		if e.listed {
			how = "watch has a gap: a List shows"
		}
		m.say("%s's %s: %s", m.name(&s, i), how, m.text(e.record))
		m.emit(t)
	}
	if p.read.kind != 0 {
		t := s
		m.heard(&t, &t.proc[i])
		m.say("%s hears: %s", m.name(&s, i), m.readText(p.read))
		m.emit(t)
	}
	if p.phase != releasing || !m.overdue(&s, p) {
		m.answers(s, i)
	}
	switch p.phase {
	case standby:
		m.standby(s, i)
	case acquiring:
		if _, free := p.free(); free && p.renewals > 0 && s.stopped == 0 && !m.overdue(&s, p) {
			t := s
			q := &t.proc[i]
			w, _ := q.free()
			q.renewals--
			*w = m.prolonging(&t, i, ensure)
			m.say("%s tries again beside, to renew or to acquire", m.name(&s, i))
			m.emit(t)
		}
		m.giveUp(s, i)
	case releasing:
		m.giveUp(s, i)
	case term:
		m.term(s, i)
	}
}

func (m *model) giveUp(s state, i int) {
	t := s
	q := &t.proc[i]
	if q.phase == acquiring {
		m.fail(q)
	} else {
		m.standBy(q)
	}
	m.say("%s gives up waiting for an answer", m.name(&s, i))
	m.emit(t)
}

// fail is an attempt that came to nothing: run.settle.
func (m *model) fail(p *proc) {
	p.knows = m.failed(p.knows)
	m.standBy(p)
}

func (m *model) standBy(q *proc) {
	q.abandon()
	*q = proc{
		incarnation: q.incarnation, newcomer: q.newcomer, behind: q.behind, greedy: q.greedy, knows: q.knows, before: q.before, last: q.last, relist: q.relist, event: q.event,
		writes: q.writes, seat: q.seat, acquires: q.acquires, renewals: q.renewals, creates: q.creates, wrote: q.wrote,
	}
}

// standby decides, and asks or writes. singleton/standby.go.
func (m *model) standby(s state, i int) {
	p := &s.proc[i]
	if s.stopped != 0 {
		return // it fails, and is tried again
	}
	t := s
	q := &t.proc[i]
	q.knows = m.suspect(&s, p.knows)
	p = q
	switch action := m.action(&s, q); action {
	case protocol.Confirm:
		q.phase, q.read = reading, m.ask(&s, confirm)
		m.say("%s asks the store, to be sure", m.name(&s, i))
		m.emit(t)
	case protocol.Prove:
		q.phase = reading
		q.read = read{kind: prove, event: event{present: true, record: m.known.saw[p.knows].record, before: p.before}}
		m.say("%s asks what was there before", m.name(&s, i))
		m.emit(t)
	case protocol.Trace:
		q.phase = reading
		q.read = read{kind: trace, event: event{present: true, record: m.known.saw[q.knows].record, last: q.last}}
		m.say("%s asks who was there before", m.name(&s, i))
		m.emit(t)
	case protocol.Ask:
		q.phase = reading
		q.read = read{kind: inquest, event: event{present: true, record: m.known.saw[q.knows].record}}
		m.say("%s asks whether the holder is dead", m.name(&s, i))
		m.emit(t)
	case protocol.Create:
		w, ok := q.free()
		if q.creates == 0 || !ok {
			return
		}
		q.creates--
		q.phase = creating
		*w = write{call: create, stage: put, sent: s.now, body: m.recordID(record{uid: newUID, vacant: true, renew: m.stamp(&t, i)})}
		m.say("%s sends a create of a vacant Lease", m.name(&s, i))
		m.emit(t)
	case protocol.Acquire:
		m.acquire(t, i)
	}
}

// action is what the candidate does next, unless a wrong rule says something else.
func (m *model) action(s *state, p *proc) protocol.Action {
	action := m.decide(p.knows, s.now).Action
	seen := m.seen(p.knows)
	switch {
	case action == protocol.Create && m.wrong(missingIsFree):
		return protocol.Acquire
	case action == protocol.Create && m.wrong(heldCreate):
		if instant(s.now).Sub(m.who(p.knows).View().FreeAt()) < 0 {
			return protocol.Wait
		}
		return protocol.Acquire
	case action == protocol.Confirm || !seen.exists() || seen.holder != 0:
	case m.wrong(unheldIsFree),
		action == protocol.Prove && m.wrong(wordIsProof),
		p.seat > s.now && m.wrong(seatAcrossGap):
		return protocol.Acquire
	}
	return action
}

func (m *model) acquire(t state, i int) {
	q := &t.proc[i]
	if other := &t.proc[1-i]; q.acquires == 0 || !q.greedy && other.greedy && other.acquires == m.acquires && !m.lazy {
		return // the other way round is the same story
	}
	w, free := q.free()
	if !free {
		return
	}
	name := m.name(&t, i)
	q.acquires--
	q.seat = 0
	from := m.known.saw[q.knows].record
	c := claim{tok: m.newToken(&t, q.knows), from: from}
	over := m.record(from)
	if m.deaths {
		c.after = over.version
	}
	*w = write{call: take, stage: swap, sent: t.now, over: from}
	if !over.exists() { // only wrong rules come here
		over.uid, w.stage = newUID, put
	}
	w.body = m.recordID(m.taken(over, t.self(i), c, m.stamp(&t, i)))
	c.record, c.sent = w.body, t.now
	q.phase, q.claim = acquiring, c
	m.say("%s sends an acquire of term %d, epoch %d, over %s", name, c.term, c.epoch, m.text(from))
	m.emit(t)
}

// Names and texts, made only when a story is told.

func (m *model) name(s *state, i int) string {
	if !m.telling {
		return ""
	}
	return identity(s.self(i))
}

func (s *state) self(i int) uint8 { return uint8(i)*8 + s.proc[i].incarnation + 1 }

func (m *model) text(record uint16) string {
	if !m.telling {
		return ""
	}
	return m.record(record).String()
}

func (m *model) readText(r read) string {
	switch {
	case !m.telling:
		return ""
	case r.kind == trace:
		return fmt.Sprint("it is the last claim: ", r.event.last)
	case r.kind == inquest:
		return "dead: " + m.text(r.event.record)
	case r.kind != prove:
		return m.text(r.event.record)
	case r.event.before == unknown:
		return "what was there before is not known any more"
	}
	return "before, there was: " + m.text(r.event.before)
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
	for i := range t.proc {
		m.tidy(&t.proc[i])
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
