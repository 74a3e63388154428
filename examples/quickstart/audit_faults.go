package main

import (
	"slices"
	"time"
)

// checkFaults: after each fault a replica is active again in time, and what a
// frozen one wrote on waking was refused.
func (a *auditor) checkFaults() {
	done := map[fault]bool{}
	for _, e := range a.events {
		if e.Kind != kindFault {
			continue
		}
		done[e.Fault] = true
		a.checkRecovery(e)
		if e.Fault == faultFreeze {
			a.checkThaw(e)
		}
	}
	for _, f := range a.Faults {
		if !done[f] {
			a.violate("the story has no %s", f)
		}
	}
}

func (a *auditor) checkRecovery(e event) {
	i := slices.IndexFunc(a.terms, func(t term) bool { return t.start > e.At })
	if i < 0 {
		a.violate("nobody was active after the %s of %s", e.Fault, e.Replica)
		return
	}
	next := a.terms[i]
	r := recovery{
		Fault: e.Fault, From: e.Replica, To: next.replica,
		Took: time.Duration(next.start - e.At), Bound: a.Lease + failoverMargin,
	}
	if e.Fault == faultHandover {
		r.Bound = a.Lease // else nothing was handed over: the lease ran out
	}
	r.Slow = r.Took > r.Bound
	if r.Took > r.Bound+a.Noise {
		a.violate("%s of %s: the next work started after %v, bound %v", e.Fault, e.Replica, r.Took, r.Bound)
	}
	a.Recoveries = append(a.Recoveries, r)
}

// checkThaw wants the proof that the guard was needed: a freeze without a late
// write shows nothing.
func (a *auditor) checkThaw(freeze event) {
	i := slices.IndexFunc(a.events, func(e event) bool { return e.Kind == kindThaw && e.PID == freeze.PID && e.At > freeze.At })
	if i < 0 {
		a.violate("%s was frozen and never thawed", freeze.Replica)
		return
	}
	thaw := a.events[i].At
	if !slices.ContainsFunc(a.events, func(e event) bool {
		return e.Kind == kindRefused && e.Stale && e.PID == freeze.PID && e.At >= thaw
	}) {
		a.violate("no stale write of %s was refused after its thaw", freeze.Replica)
	}
}

// checkProcesses: no replica ended but those that were made to.
func (a *auditor) checkProcesses() {
	told := map[int]bool{} // to end
	stopped := false
	for _, e := range a.events {
		switch e.Kind {
		case kindStarted:
			a.Processes++
		case kindStop:
			stopped = true
		case kindFault:
			told[e.PID] = told[e.PID] || e.Fault == faultHandover || e.Fault == faultCrash
		case kindExited:
			if !stopped && !told[e.PID] {
				a.violate("%s (pid %d) ended by itself: %s", e.Replica, e.PID, e.Text)
			}
		}
	}
}
