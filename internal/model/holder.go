package main

import (
	"fmt"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// term is a step of the one that holds the Lease. singleton/active.go, work.go.
func (m *model) term(s state, i int) {
	p := &s.proc[i]
	valid := !p.over && s.now < p.claim.sent+m.R
	step := func(change func(t *state, q *proc), format string, args ...any) {
		t := s
		change(&t, &t.proc[i])
		if m.telling {
			m.say("%s %s", m.name(&s, i), fmt.Sprintf(format, args...))
		}
		m.emit(t)
	}
	if !p.over && !valid && !m.wrong(noWatchdog) {
		step(func(_ *state, q *proc) { m.lose(&s, q, "") }, "reaches the end of its validity")
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
				if m.wrong(releaseFirst) {
					m.sendRelease(t, i)
				}
			}, "resigns")
		}
	case done:
		step(func(t *state, _ *proc) { m.finish(t, i, valid) }, "'s term %d is over", p.claim.term)
	}
	if _, free := p.free(); free && p.work != done && !p.over && p.renewals > 0 && s.stopped == 0 && (!m.updates || !p.asking()) {
		step(func(t *state, q *proc) {
			q.renewals--
			w := m.prolonging(t, i, renew)
			place, _ := q.free()
			*place = w
		}, "sends a renewal of term %d", p.claim.term)
	}
}

// asking reports whether p waits for an answer to a write.
func (p *proc) asking() bool {
	for _, w := range p.writes {
		if w.call != 0 && !w.ghost {
			return true
		}
	}
	return false
}

// lose is singleton.Term.lose. No answer is heard from here on.
func (m *model) lose(s *state, p *proc, loss protocol.Loss) {
	if p.over {
		return
	}
	p.vacated = (loss == protocol.LossDeleted || loss == protocol.LossCleared) && !p.ctxOver
	p.ctxOver, p.over, p.lostAt = true, true, s.now
	if !m.wrong(reviveOver) {
		p.abandon()
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
	q.abandon()
	switch {
	case valid && s.stopped == 0:
		q.phase, q.over = releasing, true
		m.sendRelease(s, i)
		return
	case q.vacated:
		q.knows = m.vacated(q.knows, q.claim)
		if m.wrong(seatAcrossGap) {
			q.seat = q.claim.sent + m.R
		}
	}
	m.standBy(q)
}

// sendRelease drops another write if need be: that one is lost.
func (m *model) sendRelease(s *state, i int) {
	q := &s.proc[i]
	place, free := q.free()
	if !free {
		place = &q.writes[0]
	}
	*place = m.rewriting(s, i, release, q.claim.record)
}
