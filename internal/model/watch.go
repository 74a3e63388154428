package main

import (
	"strconv"

	"github.com/hotseat-go/hotseat/lease"
)

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
	last := m.viewSaw[p.view]
	news := last.record != s.record || s.record == 0 && last.version != s.version
	if s.stopped != 0 || !news && !p.relist {
		return event{}
	}
	e := event{present: true, record: s.record, before: s.before, version: s.version}
	if p.relist || s.after == 0 || s.after != last.shown {
		e.listed = true
		return e
	}
	if r := m.records[s.record]; r.exists() {
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
	before := p.view
	m.observe(s, p, e, false)
	if before != p.view && p.read.kind != 0 {
		p.read.overtaken = true
	}
	switch p.phase {
	case acquiring:
		if r := m.seen(p.view); r.holder != 0 && r.term != p.claim.term && m.newer(r.version, m.records[p.claim.from].version) {
			m.fail(p) // somebody was faster
		}
	case term:
		if p.over || !m.newer(e.version, m.records[p.claim.record].version) {
			return
		}
		if loss := m.standing(p.claim, e.record); loss != "" {
			m.lose(s, p, loss)
		} else {
			p.claim.record = e.record
		}
	}
}

func (m *model) newer(a, b uint8) bool {
	key := [2]uint8{a, b}
	newer, known := m.versions[key]
	if !known {
		newer = lease.Newer(strconv.Itoa(int(a)), strconv.Itoa(int(b)))
		m.versions[key] = newer
	}
	return newer
}

// ask is a read: a Get with a List beside it, or the List alone that begins a watch.
func (m *model) ask(s *state, kind readKind) read {
	e := event{present: true, listed: true, record: s.record, before: s.before, version: s.version}
	if r := m.records[s.record]; kind == confirm && r.exists() {
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
		m.observe(s, p, r.event, false)
	case confirm:
		taken := m.observe(s, p, r.event, r.overtaken)
		p.fresh = taken || !r.overtaken
	case prove:
		p.view = m.proved(p.view, r.event.record, r.event.before)
	}
	p.read = read{}
}
