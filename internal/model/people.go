package main

// people delete, ship, edit and put back.
func (m *model) people(s state) {
	if s.stopped != 0 {
		return
	}
	stored := m.record(s.record)
	edit := func(r record, spend func(*budget), what string) {
		t := s
		spend(&t.left)
		m.store(&t, r)
		if t.left.PutBacks == 0 {
			t.saved = unknown
		}
		if m.telling {
			m.say("somebody %s: %s", what, m.text(t.record))
		}
		m.emit(t)
	}
	if stored.exists() && s.left.Deletes > 0 {
		edit(record{}, func(b *budget) { b.Deletes-- }, "deletes the Lease")
	}
	if stored.holder != 0 && s.left.Clears > 0 {
		cleared := stored
		cleared.holder = 0
		edit(cleared, func(b *budget) { b.Clears-- }, "clears the holder by hand")
	}
	if stored.exists() && !stored.untouched() && s.left.Replaces > 0 {
		edit(record{uid: stored.uid}, func(b *budget) { b.Replaces-- }, "replaces the Lease with the manifest")
	}
	if !stored.exists() && s.left.Ships > 0 {
		t := s
		t.left.Ships--
		m.store(&t, record{uid: t.nextUID})
		t.nextUID++
		t.misled = true
		m.say("the Lease is shipped anew: %s", m.text(t.record))
		m.emit(t)
	}
	m.stranger(s)
	if s.left.PutBacks == 0 {
		return
	}
	if kept := m.recordID(stored.claim()); stored.exists() && kept != s.saved {
		t := s
		t.saved = kept
		m.say("somebody keeps the Lease in a file: %s", m.text(s.record))
		m.emit(t)
	}
	if s.saved != unknown && stored.exists() {
		back := m.record(s.saved)
		back.uid = stored.uid
		edit(back, func(b *budget) { b.PutBacks-- }, "puts the file back")
	}
}

// stranger is a third candidate, which knew nothing when the Lease was shipped anew:
// it takes it at once, does no work, and releases it.
func (m *model) stranger(s state) {
	const itself, took, gave = 17, 254, 255
	stored := m.record(s.record)
	t := s
	switch {
	case stored.untouched() && s.misled && s.left.Strangers > 0:
		t.left.Strangers--
		t.nextTerm++
		t.highest = tok{s.version, s.nextTerm}
		m.store(&t, m.taken(stored, itself, claim{tok: tok{s.version, s.nextTerm}}, took))
		m.say("one who knew nothing takes it: %s", m.text(t.record))
	case stored.holder == itself:
		m.store(&t, m.released(stored, itself, claim{tok: tok{stored.epoch, stored.term}}, gave))
		m.say("and releases it: %s", m.text(t.record))
	default:
		return
	}
	m.emit(t)
}

// disaster: the store is backed up, and restored after the API server was down for
// a while, which is longer than a release counts as news. Watches begin anew; writes
// on their way land afterwards.
func (m *model) disaster(s state) {
	if s.left.Bumped+s.left.Unbumped == 0 && s.stopped == 0 {
		return
	}
	switch {
	case s.backup.version == 0:
		t := s
		t.backup = backup{s.record, s.before, s.version, s.last}
		m.say("the store is backed up: %s", m.text(s.record))
		m.emit(t)
	case s.stopped == 0:
		t := s
		t.stopped = s.now + 1
		t.breakWatches()
		m.say("the API server stops")
		m.emit(t)
	case s.now+1 > s.stopped:
		m.restore(s)
	}
}

func (m *model) restore(s state) {
	back := func(t state, how string) {
		for i := range t.proc {
			if p := &t.proc[i]; !p.down && m.known.saw[p.knows].record != s.record {
				p.behind = s.now + 1
			}
		}
		t.last = s.backup.last
		t.record, t.before, t.after, t.stopped, t.restored, t.misled = s.backup.record, s.backup.before, 0, 0, s.now+1, true
		if t.left.Bumped+t.left.Unbumped == 0 {
			t.backup = backup{}
		}
		m.say("the store is restored %s: %s", how, m.text(t.record))
		m.emit(t)
	}
	if s.left.Bumped > 0 {
		t := s
		t.left.Bumped--
		t.version++
		back(t, "with a bumped revision")
	}
	if s.left.Unbumped > 0 {
		t := s
		t.left.Unbumped--
		t.version, t.wentBack = s.backup.version, true
		back(t, "without a bump")
	}
}

// breakWatches: whoever watches begins anew, with a List.
func (s *state) breakWatches() {
	for i := range s.proc {
		p := &s.proc[i]
		p.event, p.relist = event{}, !p.down
	}
}

// fate crashes, restarts, freezes and thaws a process.
func (m *model) fate(s state, i int) {
	p := &s.proc[i]
	switch {
	case p.through:
		return
	case p.down:
		if s.stopped != 0 {
			return
		}
		t := s
		q := &t.proc[i]
		*q = proc{
			incarnation: p.incarnation + 1, newcomer: s.misled, greedy: p.greedy, writes: p.writes, phase: reading,
			acquires: p.acquires, renewals: p.renewals, creates: p.creates, wrote: p.wrote,
		}
		q.read = m.ask(&t, first)
		m.say("%s starts and looks at the Lease", m.name(&t, i))
		m.emit(t)
		return
	case s.left.Crashes > 0:
		t := s
		t.left.Crashes--
		q := &t.proc[i]
		q.abandon()
		*q = proc{
			down: true, incarnation: p.incarnation, greedy: p.greedy, writes: q.writes,
			acquires: p.acquires, renewals: p.renewals, creates: p.creates, wrote: p.wrote,
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
