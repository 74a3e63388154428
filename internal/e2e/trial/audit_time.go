//go:build unix

package trial

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// checkOverlap: no two terms' work at one time, unless the earlier one's
// process was frozen when the later began, and stopped soon after its thaw.
// A term of client-go's as the earlier one does not count: it does not keep that
// promise. It must not begin beside one of ours either.
func (a *auditor) checkOverlap() {
	for i, earlier := range a.terms {
		for _, later := range a.terms[i+1:] {
			if later.start >= earlier.end || earlier.token.IsZero() && !a.limits.Peers {
				continue
			}
			if thaw, frozen := a.thawOf(earlier.pid, later.start); frozen {
				a.bound(time.Duration(earlier.end-thaw), a.limits.Stop,
					"the end of "+earlier.replica+"'s work after its thaw")
				continue
			}
			both := time.Duration(min(earlier.end, later.end) - later.start)
			a.Overlap += both
			a.violate("%s worked under token %d beside %s under token %d for %v", later.replica, later.token.Epoch,
				earlier.replica, earlier.token.Epoch, both)
		}
	}
}

// bound notes how long something took against what it may take.
func (a *auditor) bound(took, limit time.Duration, what string) {
	if took > limit {
		a.Slow = true
	}
	if took > limit+a.limits.Noise {
		a.violate("%s took %v, bound %v", what, took.Round(time.Millisecond), limit)
	}
}

// thawOf tells whether a process was frozen at an instant, and until when.
func (a *auditor) thawOf(pid int, at int64) (thaw int64, frozen bool) {
	froze := int64(math.MaxInt64)
	for _, e := range a.events {
		switch {
		case e.PID != pid:
		case e.Kind == Frozen:
			froze = e.At
		case e.Kind == Thawed || e.Kind == Exited:
			if froze <= at && at <= e.At {
				return e.At, true
			}
			froze = math.MaxInt64
		}
	}
	return 0, false
}

// checkFaults: after each fault a replica is active again in time, another one
// than its victim, and one is when the trial is over.
func (a *auditor) checkFaults() {
	faults := 0
	var struck *Event
	for i, e := range a.events {
		switch e.Kind {
		case Fault:
			faults++
			if struck != nil {
				a.violate("%s began before %s was over", e.Text, struck.Text)
			}
			struck = &a.events[i]
		case Over:
			if struck == nil {
				a.violate("what was over had not begun")
				continue
			}
			a.checkBack(*struck, e.At)
			struck = nil
		case Stopping:
			if !slices.ContainsFunc(a.terms, func(t term) bool { return t.start <= e.At && t.end > e.At }) {
				a.violate("nobody was active when the trial was over")
			}
		}
	}
	if struck != nil {
		a.violate("%s was never over", struck.Text)
	}
	if faults == 0 {
		a.violate("nothing was done to the replicas")
	}
}

func (a *auditor) checkBack(fault Event, over int64) {
	var next []term
	for _, t := range a.terms {
		if t.end > over && (fault.PID == 0 || t.pid != fault.PID) {
			next = append(next, t)
		}
	}
	if len(next) == 0 {
		a.violate("nobody was active after %s", fault.Text)
		return
	}
	first := slices.MinFunc(next, func(x, y term) int { return cmp.Compare(x.start, y.start) })
	back := time.Duration(max(0, first.start-over))
	a.Back = max(a.Back, back)
	a.bound(back, a.limits.Back, "a replica's being active after "+fault.Text)
}

// checkProcesses: no replica ended but those that were made to.
func (a *auditor) checkProcesses() {
	told := map[int]bool{}
	for _, e := range a.events {
		switch {
		case e.Kind == Ending:
			told[e.PID] = true
		case e.Kind == Exited && !told[e.PID]:
			a.violate("%s (pid %d) ended by itself: %s", e.Replica, e.PID, e.Text)
		}
	}
}

// checkReleases: no term released the Lease before its work had ended.
func (a *auditor) checkReleases() {
	released := false
	for _, e := range a.events {
		if e.Kind != Released {
			continue
		}
		i := slices.IndexFunc(a.terms, func(t term) bool { return t.token == e.Token })
		if i < 0 {
			continue // it never came to work
		}
		released = true
		if early := time.Duration(a.terms[i].end - e.At); early > 0 {
			a.violate("%s released the Lease %v before its work ended", a.terms[i].replica, early)
		}
	}
	if a.limits.Released && !released {
		a.violate("the Lease was never released")
	}
}
