package sim

import (
	"slices"
	"time"
)

// Share is for how long of a run nobody, exactly one and several were at work,
// from when the first process was there until all are asked to stop.
//
// It leaves out, for all electors alike, what [Result].AtWork does: the work of a
// node is none while that is frozen or hangs; and work beside another's that was frozen
// once, outstayed its budget because a fault made it, or was taken under an
// exception, does not make two.
type Share struct{ None, One, Two time.Duration }

// Add adds another run's.
func (s *Share) Add(o Share) {
	s.None += o.None
	s.One += o.One
	s.Two += o.Two
}

// Of is a part in percent of the whole.
func (s Share) Of(part time.Duration) float64 {
	if whole := s.None + s.One + s.Two; whole > 0 {
		return 100 * float64(part) / float64(whole)
	}
	return 0
}

// share of a run that is over. From one change to the next the same are at work.
func (c *checker) share(from, to time.Time) (out Share) {
	changes := []time.Time{from, to}
	for _, f := range c.w.plan.Faults {
		if f.Kind == Freeze || f.Kind == Wedge {
			changes = append(changes, c.w.began.Add(f.At), c.w.began.Add(f.At+f.For))
		}
	}
	for _, j := range c.jobs {
		changes = append(changes, j.began, j.returned)
	}
	changes = slices.DeleteFunc(changes, func(t time.Time) bool { return t.Before(from) || t.After(to) })
	slices.SortFunc(changes, time.Time.Compare)
	for i, at := range changes[1:] {
		d := at.Sub(changes[i])
		if d == 0 {
			continue
		}
		switch c.together(changes[i]) {
		case 0:
			out.None += d
		case 1:
			out.One += d
		default:
			out.Two += d
		}
	}
	return out
}

// together is how many are at work from t on; more than two are two.
func (c *checker) together(t time.Time) int {
	var there []*job
	for _, j := range c.jobs {
		if !j.began.After(t) && j.returned.After(t) && !c.idleAt(j, t) {
			there = append(there, j)
		}
	}
	for i, b := range there {
		for _, a := range there[:i] {
			if c.counts(a, b) {
				return 2
			}
		}
	}
	return min(len(there), 1)
}

// idleAt reports whether a fault has a job do nothing: its node is frozen, or the job hangs.
func (c *checker) idleAt(j *job, t time.Time) bool {
	return slices.ContainsFunc(c.w.plan.Faults, func(f Fault) bool {
		at := c.w.began.Add(f.At)
		return (f.Kind == Freeze || f.Kind == Wedge) && f.Node == j.process.node.index && !t.Before(at) && t.Before(at.Add(f.For))
	})
}

// counts reports whether an overlap of two jobs, the earlier one first, counts.
func (c *checker) counts(a, b *job) bool {
	return !a.frozen && !b.frozen && !a.overran && c.comparable(a, b, b.began)
}
