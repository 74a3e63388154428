package protocol

import "time"

// failed are the terms of this process whose work failed, one after the other.
type failed struct {
	row  int32
	last Instant // when the last of them ended
}

// remembered is for how long a failure counts.
const remembered = 10 * time.Minute

// Worked takes in that a term has ended at now, in which work served for so long. If it ended
// because work failed, the candidate lets others go first from then on: for HoldOff, and for twice
// as long after each further failure, but for a lease duration at most. Work that served for a
// lease duration makes up for earlier failures.
func (c *Candidate) Worked(served time.Duration, fails bool, now Instant) *Candidate {
	c = c.clone()
	if served >= c.self.Timing.LeaseDuration {
		c.manners.failed = failed{}
	}
	if fails {
		c.manners.failed.row++
		c.manners.failed.last = now
	}
	return c
}

// Failures returns how many terms in a row have failed, and for how long the candidate lets others
// go first if the Lease comes free at free.
func (c *Candidate) Failures(free Instant) (row int, wait time.Duration) {
	f, most := c.manners.failed, c.self.Timing.LeaseDuration
	if f.row == 0 || free.Sub(f.last) > remembered {
		return 0, 0
	}
	wait = min(c.self.HoldOff, most)
	for n := f.row; n > 1 && wait < most; n-- {
		wait = min(2*wait, most)
	}
	return int(f.row), wait
}
