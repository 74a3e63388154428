package protocol

// seat is the place on the Lease that this process's last term had, and that the process may take
// back. From its own record on, one watch has shown every change, and no record named a holder. So
// nobody can have started. A compare-and-swap on the last of these records makes sure that nobody
// can until then.
type seat struct {
	term  string  // its last term; empty: it never had one
	own   string  // as whom it held the Lease: no other process has this name
	open  bool    // nobody can have taken it
	empty bool    // it was seen empty since
	until Instant // it may be taken back until then; zero: its work has not returned
}

// Seated returns the view after the acquire of that term was acknowledged.
func (v View) Seated(term string) View {
	v.seat = seat{term: term, own: v.Record().Holder(), open: true}
	return v
}

// Vacated returns the view after work has returned and the term was removed from the Lease,
// although the term would be valid until then. So the seat may be taken back.
func (v View) Vacated(until Instant) View {
	v.seat.until = until
	return v
}

// observe closes the seat unless o shows that nobody can have started.
func (s seat) observe(v *View, o *Observation) seat {
	r, before := o.Record, v.Record()
	mine := r.Holder() != "" && (r.Term() == s.term || r.Holder() == s.own)
	switch {
	case mine && r.UID() == before.UID(): // whoever took it had to wait, while the term was valid
	case r.Holder() == "" && v.follows(o) && !r.Released():
		s.empty = true
	default:
		s.open = false
	}
	return s
}

// seated reports whether the seat may be taken back at now.
func (v *View) seated(now Instant) bool {
	r := v.Record()
	ours := r.Holder() == v.seat.own && (v.seat.empty || r.Term() != v.seat.term) // put back: its work has returned
	return v.seat.open && v.seat.until.After(now) && (r.Holder() == "" || ours)
}
