package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// told is a story as the audit gets it, to be made worse by each test.
type told struct {
	entries []entry
	events  []event
}

func (s *told) run() report {
	return audit(s.entries, s.events, limits{
		Lease: 5 * time.Second, StopBudget: time.Second, Noise: 2 * time.Second,
		Faults: []fault{faultHandover, faultCrash, faultFreeze, faultDeletion},
	})
}

func (s *told) event(seconds float64, e event) {
	e.At = at(seconds)
	s.events = append(s.events, e)
}

// works adds a term of the replica with that pid from its start to its end, by
// return if ended, with one record in its middle.
func (s *told) works(pid int, epoch int64, start, end float64, ended bool) {
	name, token := nameOf(pid), tokenOf(epoch)
	s.event(start, event{Kind: kindAcquired, Replica: name, PID: pid, Token: token})
	s.entries = append(s.entries,
		entry{At: at(start), Kind: entryAnnounced, Token: token},
		entry{At: at((start + end) / 2), Kind: entryRecord, Token: token, record: record{name, pid, int(epoch)}})
	s.event((start+end)/2, event{Kind: kindWritten, Replica: name, PID: pid, Token: token, N: int(epoch)})
	if ended {
		s.event(end, event{Kind: kindEnded, Replica: name, PID: pid, Token: token})
	}
}

func at(seconds float64) int64 { return int64(seconds * float64(time.Second)) }

func nameOf(pid int) string { return string(rune('a' + pid%3)) }

func tokenOf(epoch int64) fencing.Token {
	return fencing.Token{Scope: fencing.Scope("ns", "lease"), Epoch: epoch, Term: strings.Repeat("0", 31) + string(rune('0'+epoch%10))}
}

// goodStory is the five acts as they should be. PIDs 0 to 2 are the first
// processes, 3 replaces 0 and 4 replaces 1.
func goodStory() *told {
	s := &told{}
	for pid := range 3 {
		s.event(0, event{Kind: kindStarted, Replica: nameOf(pid), PID: pid})
	}
	s.works(0, 1, 1, 10.05, true)
	s.event(10, event{Kind: kindFault, Fault: faultHandover, Replica: "a", PID: 0})
	s.event(10.1, event{Kind: kindExited, Replica: "a", PID: 0})
	s.works(1, 2, 10.2, 20, false)
	s.event(20, event{Kind: kindFault, Fault: faultCrash, Replica: "b", PID: 1})
	s.event(20.1, event{Kind: kindExited, Replica: "b", PID: 1})
	s.event(21, event{Kind: kindStarted, Replica: "a", PID: 3})
	s.event(22, event{Kind: kindStarted, Replica: "b", PID: 4})
	s.works(2, 4, 25, 40.2, true)
	s.event(30, event{Kind: kindFault, Fault: faultFreeze, Replica: "c", PID: 2})
	s.works(3, 8, 35, 50.1, true)
	s.event(40, event{Kind: kindThaw, Replica: "c", PID: 2})
	s.event(40.1, event{Kind: kindRefused, Stale: true, Replica: "c", PID: 2, Token: tokenOf(4), N: 99})
	s.event(50, event{Kind: kindFault, Fault: faultDeletion, Replica: "a", PID: 3})
	s.works(3, 9, 50.3, 60, true)
	s.event(59, event{Kind: kindStop})
	for _, pid := range []int{2, 3, 4} {
		s.event(60, event{Kind: kindExited, Replica: nameOf(pid), PID: pid})
	}
	return s
}

func TestAuditOfAGoodStoryHolds(t *testing.T) {
	r := goodStory().run()
	require.Empty(t, r.Violations)
	require.True(t, r.OK)
	require.Equal(t, []int64{1, 2, 4, 8, 9}, r.Epochs)
	require.Equal(t, 5, r.Terms)
	require.Equal(t, 5, r.Processes)
	require.Equal(t, 5, r.Records)
	require.Equal(t, 5, r.Acknowledged)
	require.Equal(t, []int{1, 1, 0}, []int{r.StaleAttempted, r.StaleRefused, r.StaleAccepted})
	require.Equal(t, []overlap{{Replica: "c", Beside: 8, Awake: 200 * time.Millisecond}}, r.Excepted)
	var took []time.Duration
	for _, v := range r.Recoveries {
		require.False(t, v.Slow)
		took = append(took, v.Took.Round(time.Millisecond))
	}
	require.Equal(t, []time.Duration{200 * time.Millisecond, 5 * time.Second, 5 * time.Second, 300 * time.Millisecond}, took)
}

func TestAuditMarksWhatOnlyABusyMachineExcuses(t *testing.T) {
	s := goodStory()
	s.change(kindAcquired, 2, func(e *event) { e.At = at(25.6) }) // bound 5.5 s after 20
	r := s.run()
	require.Empty(t, r.Violations)
	require.True(t, r.Recoveries[1].Slow)
	require.Contains(t, strings.Join(r.lines(), "\n"), "SLOW")
}

// change edits the first event of a kind and pid.
func (s *told) change(k kind, pid int, edit func(*event)) {
	i := slices.IndexFunc(s.events, func(e event) bool { return e.Kind == k && e.PID == pid })
	edit(&s.events[i])
}

func (s *told) drop(match func(event) bool) { s.events = slices.DeleteFunc(s.events, match) }

func (s *told) record(epoch int64, pid, n int) {
	s.entries = append(s.entries, entry{Kind: entryRecord, Token: tokenOf(epoch), record: record{nameOf(pid), pid, n}})
}

func TestAuditFindsEachViolation(t *testing.T) {
	tests := []struct {
		name, want string
		spoil      func(*told)
	}{
		{"a stale write accepted", "record with token 8 accepted after token 9", func(s *told) {
			s.record(8, 3, 77)
		}},
		{"a stale write of a thawed process accepted", "record with token 4 accepted after token 9", func(s *told) {
			s.record(4, 2, 99)
		}},
		{"an old token announced", "token 2 announced after token 9", func(s *told) {
			s.entries = append(s.entries, entry{Kind: entryAnnounced, Token: tokenOf(2)})
		}},
		{"one epoch in two terms", "two terms share token 9", func(s *told) {
			other := tokenOf(9)
			other.Term = strings.Repeat("f", 32)
			s.entries = append(s.entries, entry{Kind: entryAnnounced, Token: other})
		}},
		{"a record before the announcement", "before it was announced", func(s *told) {
			s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return e.Kind == entryAnnounced && e.Token == tokenOf(9) })
		}},
		{"a record with another's token", "wrote with token 9, which is not its own", func(s *told) {
			s.record(9, 4, 5)
		}},
		{"a record of a term nobody had", "wrote with token 10, which is not its own", func(s *told) {
			s.record(10, 4, 5)
		}},
		{"an entry of unknown kind", `unknown kind "gossip"`, func(s *told) {
			s.entries = append(s.entries, entry{Kind: "gossip", Token: tokenOf(9)})
		}},
		{"no records", "the ledger has no records", func(s *told) {
			s.entries = nil
		}},
		{"tokens that do not grow", "started work under token 2 after a term with token 4", func(s *told) {
			s.change(kindAcquired, 3, func(e *event) { e.Token = tokenOf(2) })
		}},
		{"a token used twice", "started work under token 9 after a term with token 9", func(s *told) {
			s.event(70, event{Kind: kindAcquired, Replica: "b", PID: 4, Token: tokenOf(9)})
			s.event(71, event{Kind: kindEnded, Replica: "b", PID: 4, Token: tokenOf(9)})
		}},
		{"work side by side", "worked under token 2 beside a under token 1 for 300ms", func(s *told) {
			s.change(kindEnded, 0, func(e *event) { e.At = at(10.5) })
			s.drop(func(e event) bool { return e.Kind == kindExited && e.PID == 0 })
		}},
		{"a crashed process that lives on", "worked under token 4 beside b under token 2", func(s *told) {
			s.change(kindExited, 1, func(e *event) { e.At = at(26) })
		}},
		{"work started before the freeze of another", "worked under token 8 beside c under token 4", func(s *told) {
			s.change(kindAcquired, 3, func(e *event) { e.At = at(29.9) })
		}},
		{"work that goes on after the thaw", "went on for 3.5s after its thaw", func(s *told) {
			s.change(kindEnded, 2, func(e *event) { e.At = at(43.5) })
		}},
		{"work that never ends", "work of c under token 4 never ended", func(s *told) {
			s.drop(func(e event) bool { return e.PID == 2 && (e.Kind == kindEnded || e.Kind == kindExited) })
		}},
		{"an acknowledged record that is lost", "was acknowledged and is not in the ledger", func(s *told) {
			s.event(55, event{Kind: kindWritten, Replica: "a", PID: 3, N: 1000})
		}},
		{"a record that is there twice", "is in the ledger 2 times", func(s *told) {
			s.record(9, 3, 9)
		}},
		{"a refused record that is there", "was refused and is in the ledger", func(s *told) {
			s.event(55, event{Kind: kindRefused, Stale: true, Replica: "a", PID: 3, N: 9})
		}},
		{"a refusal for another reason", "was refused, but not for an old token: conflict", func(s *told) {
			s.event(55, event{Kind: kindRefused, Replica: "a", PID: 3, N: 1000, Text: "conflict"})
		}},
		{"a failover that takes too long", "crash of b: the next work started after 8s, bound 5.5s", func(s *told) {
			s.change(kindAcquired, 2, func(e *event) { e.At = at(28) })
		}},
		{"a handover that waits for the lease to run out", "handover of a: the next work started after 8s, bound 5s", func(s *told) {
			s.change(kindAcquired, 1, func(e *event) { e.At = at(18) })
		}},
		{"nobody takes over", "nobody was active after the deletion of a", func(s *told) {
			s.drop(func(e event) bool { return e.Kind == kindAcquired && e.Token == tokenOf(9) })
		}},
		{"a freeze without a late write", "no stale write of c was refused after its thaw", func(s *told) {
			s.drop(func(e event) bool { return e.Kind == kindRefused })
		}},
		{"a refusal before the thaw only", "no stale write of c was refused after its thaw", func(s *told) {
			s.change(kindRefused, 2, func(e *event) { e.At = at(39) })
		}},
		{"a freeze without a thaw", "c was frozen and never thawed", func(s *told) {
			s.drop(func(e event) bool { return e.Kind == kindThaw })
		}},
		{"an act left out", "the story has no freeze", func(s *told) {
			s.drop(func(e event) bool { return e.Fault == faultFreeze })
		}},
		{"a replica that dies of itself", "b (pid 4) ended by itself: exit status 2", func(s *told) {
			s.change(kindExited, 4, func(e *event) { e.Text = "exit status 2" })
			s.events = append([]event{s.events[len(s.events)-1]}, s.events[:len(s.events)-1]...)
		}},
		{"nobody was ever active", "no replica ever was active", func(s *told) {
			s.drop(func(e event) bool { return e.Kind == kindAcquired })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := goodStory()
			tt.spoil(s)
			r := s.run()
			require.False(t, r.OK)
			require.Contains(t, strings.Join(r.Violations, "\n"), tt.want)
			require.Contains(t, strings.Join(r.lines(), "\n"), "DOES NOT HOLD")
		})
	}
}

func TestAuditCountsStaleWritesThatGotIn(t *testing.T) {
	s := goodStory()
	s.record(4, 2, 99)
	s.drop(func(e event) bool { return e.Kind == kindRefused })
	r := s.run()
	require.Equal(t, []int{1, 0, 1}, []int{r.StaleAttempted, r.StaleRefused, r.StaleAccepted})
}
