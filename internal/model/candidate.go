package main

import (
	"fmt"

	"github.com/hotseat-go/hotseat/lease"
)

func (m *model) name(s *state, i int) string { return identity(s.self(i)) }

func (s *state) self(i int) uint8 { return uint8(i)*8 + s.proc[i].incarnation + 1 }

func (m *model) outcome(answer uint8, s *state) string {
	if answer == conflict {
		return "409 conflict"
	}
	return fmt.Sprintf("the Lease is now %v", m.records[s.record])
}

// candidate takes each step that process i may take.
func (m *model) candidate(s state, i int) {
	p := &s.proc[i]
	if seen := m.pending(&s, p); seen.present && (p.phase == standby || p.phase == term) {
		t := s
		m.deliver(&t, i, seen)
		m.say("%s's watch delivers: %v", m.name(&s, i), m.records[seen.record])
		m.emit(t)
	}
	if p.request.kind != nothing {
		m.answers(s, i)
	}
	switch p.phase {
	case standby:
		m.standby(s, i)
	case term:
		m.term(s, i)
	}
}

// pending is what p's watch may deliver: what has set out, or the present.
func (m *model) pending(s *state, p *proc) event {
	if m.staleEvents {
		return p.event
	}
	return event{m.viewSaw[p.view].version != s.version, s.record, s.version}
}

func (m *model) deliver(s *state, i int, seen event) {
	p := &s.proc[i]
	p.event = event{}
	p.view = m.observe(p.view, event{record: seen.record, version: seen.version}, s.now, s.now, false)
	p.fresh = false
	if r := m.records[seen.record]; r.holder != 0 && r.term != p.claim.term {
		p.deleted, p.vanishedUntil, p.vanishedUID = false, 0, 0 // somebody held it since
	}
	if p.phase != term || p.over || seen.version <= m.records[p.claim.record].version {
		return
	}
	if loss := m.standing(p.claim, seen.record); loss != "" {
		p.lose(s.now, loss)
	} else {
		p.claim.record = seen.record
	}
}

// lose is singleton.Term.lose.
func (p *proc) lose(now uint8, loss lease.Loss) {
	if p.over {
		return
	}
	p.deleted = loss == lease.LossDeleted && !p.ctxOver
	p.ctxOver, p.over, p.lostAt = true, true, now
	p.abandon()
}

// standby decides, and asks or writes. singleton/standby.go.
func (m *model) standby(s state, i int) {
	p := &s.proc[i]
	t := s
	q := &t.proc[i]
	action := m.reseat(q, s.now, m.decide(p.view, s.now, p.fresh))
	if action == lease.Create {
		action = m.create(s, i)
	}
	switch action {
	case lease.Confirm:
		q.phase, q.request = confirm, s.ask()
		m.say("%s asks for a List, to be sure", m.name(&s, i))
		m.emit(t)
	case lease.Acquire:
		if p.acquires == 0 || !p.greedy && s.proc[1-i].greedy && s.proc[1-i].acquires == m.acquires {
			return // the other way round is the same story
		}
		q.acquires--
		c := claim{tok: m.newToken(&t, p.view)}
		from := m.seen(p.view)
		if !from.exists() {
			from.uid = vacantUID // only wrong rules come here
		}
		c.record = m.recordID(m.taken(from, t.self(i), c, s.now))
		q.phase, q.claim = acquiring, c
		q.request = request{kind: write, sent: s.now, body: c.record, acquire: true}
		m.say("%s sends an acquire of term %d, epoch %d, over %v", m.name(&s, i), c.term, c.epoch, from)
		m.emit(t)
	}
}

// reseat is singleton's: the holder whose Lease vanished may take it vacant.
func (m *model) reseat(q *proc, now uint8, action lease.Action) lease.Action {
	if q.vanishedUntil == 0 {
		return action
	}
	seen := m.seen(q.view)
	switch {
	case q.vanishedUntil <= now+1,
		seen.exists() && !seen.vacant && (q.fresh || seen.uid != q.vanishedUID):
		q.vanishedUntil, q.vanishedUID = 0, 0
	case action == lease.Confirm:
	case seen.uid == q.vanishedUID:
		return lease.Confirm
	case seen.vacant:
		return lease.Acquire
	}
	return action
}

// create makes the missing Lease, vacant; wrong rules make it held.
func (m *model) create(s state, i int) lease.Action {
	p := &s.proc[i]
	switch {
	case m.wrong(missingIsFree):
		return lease.Acquire
	case m.wrong(heldCreate):
		if instant(s.now).Sub(m.views[p.view].FreeAt()) < 0 {
			return lease.Wait
		} else if !p.fresh {
			return lease.Confirm
		}
		return lease.Acquire
	case p.creates == 0:
		return lease.Wait
	}
	t := s
	q := &t.proc[i]
	q.creates--
	q.phase = confirm
	q.request = request{kind: write, sent: s.now, body: m.recordID(record{uid: vacantUID, vacant: true}), vacant: true}
	m.say("%s sends a create of a vacant Lease", m.name(&s, i))
	m.emit(t)
	return lease.Wait
}

// vacantUID stands in a body for the UID that the API server is to give.
const vacantUID = 255

// seen is a view's record, in small numbers.
func (m *model) seen(view uint16) record {
	return m.records[m.viewSaw[view].record]
}

// term is a step of the one that holds the Lease. singleton/active.go, work.go.
func (m *model) term(s state, i int) {
	p := &s.proc[i]
	valid := !p.over && s.now < p.claim.sent+m.R
	step := func(change func(t *state, q *proc), format string, args ...any) {
		t := s
		change(&t, &t.proc[i])
		m.say("%s %s", m.name(&s, i), fmt.Sprintf(format, args...))
		m.emit(t)
	}
	if !p.over && !valid && !m.wrong(noWatchdog) {
		step(func(_ *state, q *proc) { q.lose(s.now, "") }, "reaches the end of its validity")
	}
	switch p.work {
	case untold:
		if !m.wrong(noAnnounce) {
			step(func(t *state, q *proc) { m.announce(t, q) }, "announces epoch %d of term %d to the guard, whose mark is %d", p.claim.epoch, p.claim.term, s.mark.epoch)
		} else {
			step(func(_ *state, q *proc) { q.work = told }, "announces nothing")
		}
	case told:
		if valid && !p.ctxOver || m.wrong(lateAcquire) {
			step(func(t *state, q *proc) { m.start(t, q) }, "starts work of term %d", p.claim.term)
		} else {
			step(func(_ *state, q *proc) { q.work = done }, "starts no work, its time is over")
		}
	case running:
		if p.ctxOver {
			step(func(_ *state, q *proc) { q.work = done }, "'s work returns")
		} else if s.left.Resigns > 0 {
			step(func(t *state, q *proc) {
				t.left.Resigns--
				q.ctxOver = true
				if m.wrong(releaseFirst) && q.request.kind == nothing {
					m.sendRelease(t, i)
				}
			}, "resigns")
		}
	case done:
		step(func(t *state, _ *proc) { m.finish(t, i, valid) }, "'s term %d is over", p.claim.term)
	}
	if p.work != done && p.request.kind == nothing && !p.over && p.renewals > 0 {
		step(func(t *state, _ *proc) { m.sendRenewal(t, i, p.claim.record) }, "sends a renewal of term %d", p.claim.term)
	}
}

func (m *model) announce(s *state, q *proc) {
	admitted, raises := s.admits(q.claim.tok)
	switch {
	case !admitted:
		q.work, q.ctxOver = done, true
	case raises:
		if q.claim.epoch < s.mark.epoch {
			s.bad = guardBack
		}
		s.mark, q.work = q.claim.tok, told
	default:
		q.work = told
	}
}

func (m *model) start(s *state, q *proc) {
	q.work = running
	if q.over || s.now >= q.claim.sent+m.R {
		s.bad = startedLate
	}
	s.started[s.nStarted] = q.claim.tok
	s.nStarted++
}

// finish is run.finish: what is left of a term whose work has returned.
func (m *model) finish(s *state, i int, valid bool) {
	q := &s.proc[i]
	q.abandon() // keeper.stop
	if valid {
		q.phase, q.over = releasing, true
		m.sendRelease(s, i)
		return
	}
	if q.deleted && q.claim.sent+m.R > s.now {
		q.vanishedUntil, q.vanishedUID = q.claim.sent+m.R+1, m.records[q.claim.record].uid
	}
	m.standBy(q)
}

func (m *model) standBy(q *proc) {
	q.abandon()
	*q = proc{
		incarnation: q.incarnation, greedy: q.greedy, view: q.view, ghost: q.ghost, event: q.event,
		vanishedUntil: q.vanishedUntil, vanishedUID: q.vanishedUID,
		acquires: q.acquires, renewals: q.renewals, creates: q.creates,
	}
}

func (m *model) sendRelease(s *state, i int) {
	q := &s.proc[i]
	body := m.recordID(m.released(m.records[q.claim.record], s.self(i), q.claim, s.now))
	q.request = request{kind: write, sent: s.now, body: body, release: true}
}

func (m *model) sendRenewal(s *state, i int, over uint16) {
	q := &s.proc[i]
	q.renewals--
	body := m.recordID(m.stamp(m.records[over], s.self(i), q.claim, s.now))
	q.request = request{kind: write, sent: s.now, body: body}
}
