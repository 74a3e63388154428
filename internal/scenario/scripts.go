package scenario

import (
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// Standby polls of client-go's elector are quick in scripts about overlap.
const eager = 50 * time.Millisecond

// CutAfterLateAnswer: the answer to a renewal of a's comes late after its
// commit, and from then on a reaches nothing. b stands by.
func CutAfterLateAnswer(s *Stage, late time.Duration) {
	s.Link("a").Inject(apiserver.Fault{
		Verbs: []string{"update", "patch"}, Skip: 2, Count: 1, DelayAfter: late,
		Then: func() { s.Link("a").Inject(apiserver.Fault{HangRequest: true}) },
	})
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	s.Start(&Candidate{Name: "b", Retry: eager})
	s.WaitTerms("b", 1, 2*time.Minute)
	time.Sleep(40 * time.Second)
}

// LateAcquire: the answer to b's acquiring write comes late after its commit;
// c stands by.
func LateAcquire(s *Stage, late time.Duration) {
	s.Link("b").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 1, DelayAfter: late})
	s.StartNamed("b")
	time.Sleep(200 * time.Millisecond)
	s.Start(&Candidate{Name: "c", Retry: eager})
	time.Sleep(late + time.Minute)
}

// LeaseDeleted: a leads after 41 transitions, the Lease is deleted right after
// a renewal, and b stands by.
func LeaseDeleted(s *Stage) {
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	Edit(s, func(l *coordv1.Lease) { transitions := int32(41); l.Spec.LeaseTransitions = &transitions })
	time.Sleep(5 * time.Second)
	waitRenewal(s)
	s.DeleteLease(Namespace, Lease)
	s.Start(&Candidate{Name: "b", Retry: eager})
	time.Sleep(time.Minute)
}

// TakenAndReleased: somebody writes itself in as the holder while a leads, and
// clears it 4 s later.
func TakenAndReleased(s *Stage) {
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	time.Sleep(3 * time.Second)
	SetHolder(s, "intruder")
	time.Sleep(4 * time.Second)
	SetHolder(s, "")
	time.Sleep(time.Minute)
}

// HealingPartition: a is cut off right after a renewal, b takes over, and a's
// link heals after the given time. c joins once b leads.
func HealingPartition(s *Stage, heal time.Duration) {
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	s.Start(&Candidate{Name: "b", Retry: eager})
	time.Sleep(3 * time.Second)
	waitRenewal(s)
	s.Link("a").Freeze()
	time.AfterFunc(heal, s.Link("a").Heal)
	s.WaitTerms("b", 1, time.Minute)
	s.Start(&Candidate{Name: "c", Retry: eager})
	time.Sleep(time.Minute)
}

// Drain: a's work takes 3 s to return after a is asked to stop; b stands by.
func Drain(s *Stage) {
	a := s.Start(&Candidate{Name: "a", Drain: 3 * time.Second})
	s.WaitTerms("a", 1, time.Minute)
	s.Start(&Candidate{Name: "b", Retry: eager})
	time.Sleep(5 * time.Second)
	a.Stop()
	time.Sleep(time.Minute)
}

// SameIdentity: two candidates are given one identity.
func SameIdentity(s *Stage) {
	s.Start(&Candidate{Name: "a", Identity: "same"})
	s.WaitTerms("a", 1, time.Minute)
	s.Start(&Candidate{Name: "b", Identity: "same"})
	time.Sleep(time.Minute)
}

// TransitionsAtMax: the Lease is free and has counted to MaxInt32.
func TransitionsAtMax(s *Stage) {
	Edit(s, func(l *coordv1.Lease) { most := int32(1<<31 - 1); l.Spec.LeaseTransitions = &most })
	s.StartNamed("a")
	time.Sleep(30 * time.Second)
}

// Crash: a leads and is gone without a word at a given time after a renewal;
// the return value is how long no work ran.
func Crash(s *Stage, after time.Duration, standbys int) time.Duration {
	s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	names := startStandbys(s, standbys)
	time.Sleep(9 * time.Second)
	waitRenewal(s)
	time.Sleep(after)
	s.Link("a").BlackHole()
	return successor(s, names, time.Now())
}

// Handover: a leads and is asked to stop at a given time after a renewal; the
// return value is how long no work ran.
func Handover(s *Stage, after time.Duration, standbys int) time.Duration {
	a := s.StartNamed("a")
	s.WaitTerms("a", 1, time.Minute)
	names := startStandbys(s, standbys)
	time.Sleep(9 * time.Second)
	waitRenewal(s)
	time.Sleep(after)
	a.Stop()
	return successor(s, names, time.Now())
}

func startStandbys(s *Stage, n int) []string {
	var names []string
	for i := range n {
		name := string(rune('b' + i))
		s.StartNamed(name)
		names = append(names, name)
		time.Sleep(137 * time.Millisecond)
	}
	return names
}

func successor(s *Stage, names []string, since time.Time) time.Duration {
	var gap time.Duration
	s.Until(2*time.Minute, func() bool {
		for _, name := range names {
			if terms := s.TermsOf(name); len(terms) > 0 {
				gap = terms[0].Started.Sub(since)
				return true
			}
		}
		return false
	})
	return gap
}

// waitRenewal returns right after the next write of the Lease.
func waitRenewal(s *Stage) {
	version := s.Lease(Namespace, Lease).ResourceVersion
	s.Until(time.Minute, func() bool { return s.Lease(Namespace, Lease).ResourceVersion != version })
}

// Edit changes the Lease as an operator with kubectl would.
func Edit(s *Stage, edit func(*coordv1.Lease)) {
	if err := s.EditLease(Namespace, Lease, edit); err != nil {
		panic(err) // the script is wrong
	}
}

// SetHolder writes a holder in by hand; empty clears it.
func SetHolder(s *Stage, holder string) {
	Edit(s, func(l *coordv1.Lease) { l.Spec.HolderIdentity = &holder })
}
