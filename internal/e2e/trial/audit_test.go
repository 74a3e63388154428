//go:build unix

package trial

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// told is a trial as the audit gets it, to be made worse by each test.
type told struct {
	entries []Entry
	events  []Event
	limits  Limits
}

func (s *told) run() Verdict { return Audit(s.entries, s.events, s.limits) }

func (s *told) event(seconds float64, e Event) {
	e.At = int64(seconds * float64(time.Second))
	if e.PID != 0 {
		e.Replica = nameOf(e.PID)
	}
	s.events = append(s.events, e)
}

// works adds a term from its start to its end, by return if ended, with one
// record in its middle.
func (s *told) works(pid int, epoch int64, start, end float64, ended bool) {
	token, n := tokenOf(epoch), int(epoch)
	s.event(start, Event{Kind: Acquired, PID: pid, Token: token})
	s.entries = append(s.entries, Entry{Kind: Announcement, Token: token}, recordOf(epoch, pid, n))
	s.event((start+end)/2, Event{Kind: Written, PID: pid, Token: token, N: n})
	if ended {
		s.event(end, Event{Kind: Ended, PID: pid, Token: token})
	}
}

func recordOf(epoch int64, pid, n int) Entry {
	return Entry{Kind: Writing, Token: tokenOf(epoch), Record: Record{nameOf(pid), pid, n}}
}

func refusedOf(e Entry, mark int64) Entry {
	e.Refused = &fencing.StaleError{Presented: e.Token, Mark: tokenOf(mark)}
	return e
}

func nameOf(pid int) string { return string(rune('a' + (pid-1)%3)) }

func tokenOf(epoch int64) fencing.Token {
	return fencing.Token{Scope: fencing.Scope("ns", "lease"), Epoch: epoch, Term: fmt.Sprintf("%032d", epoch)}
}

// change edits the first event of a kind and pid.
func (s *told) change(k Kind, pid int, edit func(*Event)) {
	edit(&s.events[slices.IndexFunc(s.events, func(e Event) bool { return e.Kind == k && e.PID == pid })])
}

func (s *told) drop(k Kind, pid int) {
	n := len(s.events)
	s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == k && e.PID == pid })
	if n == len(s.events) {
		panic("nothing to drop")
	}
}

// good is a trial as it should be: a graceful end of 1, a freeze of 2 and a
// conflict. 4 replaces 1.
func good() *told {
	s := &told{limits: Limits{
		Back: 3500 * time.Millisecond, Stop: time.Second, Noise: 2 * time.Second,
		Terms: 3, Stale: true, Conflict: true, Released: true,
	}}
	for pid := range 3 {
		s.event(0, Event{Kind: Started, PID: pid + 1})
	}
	s.works(1, 1, 1, 12, true)
	s.event(10, Event{Kind: Ending, PID: 1})
	s.event(12.01, Event{Kind: Fault, Text: "the drain", PID: 1})
	s.event(12.01, Event{Kind: Over})
	s.event(12.02, Event{Kind: Released, Token: tokenOf(1)})
	s.event(12.03, Event{Kind: Exited, PID: 1})
	s.event(13, Event{Kind: Started, PID: 4})
	s.works(2, 2, 12.1, 30.2, true)
	s.event(20, Event{Kind: Frozen, PID: 2})
	s.event(20, Event{Kind: Fault, Text: "the freeze", PID: 2})
	s.event(20, Event{Kind: Over})
	s.works(3, 3, 23.4, 40.1, true)
	s.event(30, Event{Kind: Thawed, PID: 2})
	s.event(30.1, Event{Kind: Refused, PID: 2, Token: tokenOf(2), N: 99})
	s.entries = append(s.entries, refusedOf(recordOf(2, 2, 99), 3), Entry{
		Kind: Announcement, Token: tokenOf(3),
		Refused: &fencing.ConflictError{Presented: tokenOf(3), Mark: tokenOf(3)},
	})
	s.event(40, Event{Kind: Stopping})
	for _, pid := range []int{2, 3, 4} {
		s.event(40, Event{Kind: Ending, PID: pid})
		s.event(41, Event{Kind: Exited, PID: pid})
	}
	return s
}

func TestAuditOfAGoodTrial(t *testing.T) {
	v := good().run()
	require.Empty(t, v.Violations)
	require.True(t, v.OK())
	require.Equal(t, Verdict{Terms: 3, Records: 3, StaleAttempted: 1, StaleRefused: 1, Back: 3400 * time.Millisecond}, v)
}

func TestAuditForgivesABusyMachineAndSaysSo(t *testing.T) {
	s := good()
	s.change(Acquired, 3, func(e *Event) { e.At += int64(time.Second) })
	v := s.run()
	require.Empty(t, v.Violations)
	require.True(t, v.Slow)
}

func TestAuditLeavesOtherElectorsAlone(t *testing.T) {
	s := good()
	s.limits.Terms = 4
	s.event(12.05, Event{Kind: Acquired, PID: 4}) // then 2 beside it, which is its fault: it has no token
	s.event(16, Event{Kind: Ended, PID: 4})
	v := s.run()
	require.Empty(t, v.Violations)
	require.Equal(t, 4, v.Terms)
}

func TestAuditFindsEachViolation(t *testing.T) {
	for want, spoil := range map[string]func(*told){
		"record with token 2 accepted after token 3": func(s *told) {
			s.entries = append(s.entries, recordOf(2, 2, 98))
		},
		"announcement with token 1 accepted after token 3": func(s *told) {
			s.entries = append(s.entries, Entry{Kind: Announcement, Token: tokenOf(1)})
		},
		"two terms share token 3": func(s *told) {
			token := tokenOf(3)
			token.Term = strings.Repeat("f", 32)
			s.entries = append(s.entries, Entry{Kind: Announcement, Token: token})
		},
		"record with token 2 before it was announced": func(s *told) {
			s.entries = slices.DeleteFunc(s.entries, func(e Entry) bool { return e.Kind == Announcement && e.Token == tokenOf(2) })
		},
		"wrote with token 3, which is not its own": func(s *told) { s.entries = append(s.entries, recordOf(3, 2, 98)) },
		"record 3 of c (pid 3) is there twice":     func(s *told) { s.entries = append(s.entries, recordOf(3, 3, 3)) },
		"acknowledged and is not in the ledger": func(s *told) {
			s.event(35, Event{Kind: Written, PID: 3, Token: tokenOf(3), N: 77})
		},
		"refused and is in the ledger": func(s *told) {
			s.event(35, Event{Kind: Refused, PID: 3, Token: tokenOf(3), N: 3})
		},
		"refused, but not for an old token": func(s *told) {
			e := recordOf(3, 3, 77)
			e.Refused = fencing.ErrUnavailable
			s.entries = append(s.entries, e)
		},
		"no stale write was attempted": func(s *told) {
			s.entries = slices.DeleteFunc(s.entries, func(e Entry) bool { return e.Kind == Writing && e.Refused != nil })
		},
		"no token was refused for its epoch": func(s *told) {
			s.entries = slices.DeleteFunc(s.entries, func(e Entry) bool { return e.Kind == Announcement && e.Refused != nil })
		},
		"the ledger has no records": func(s *told) { s.entries = nil },
		"no replica ever was active": func(s *told) {
			s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == Acquired })
		},
		"started work under token 2 after a term with token 2": func(s *told) {
			s.change(Acquired, 3, func(e *Event) { e.Token = tokenOf(2) })
		},
		"worked under token 2 beside a under token 1 for 500ms": func(s *told) {
			s.change(Acquired, 2, func(e *Event) { e.At = int64(11500 * time.Millisecond) })
		},
		"the end of b's work after its thaw took 3.5s, bound 1s": func(s *told) {
			s.change(Ended, 2, func(e *Event) { e.At = int64(33500 * time.Millisecond) })
		},
		"c worked under token 3 beside b under token 2": func(s *told) { s.drop(Frozen, 2) },
		"being active after the freeze took 6s, bound 3.5s": func(s *told) {
			s.change(Acquired, 3, func(e *Event) { e.At = int64(26 * time.Second) })
		},
		"nobody was active after the freeze": func(s *told) {
			s.drop(Acquired, 3)
		},
		"the freeze was never over": func(s *told) {
			i := slices.IndexFunc(s.events, func(e Event) bool { return e.Text == "the freeze" })
			s.events = slices.Delete(s.events, i+1, i+2)
		},
		"what was over had not begun": func(s *told) { s.event(35, Event{Kind: Over}) },
		"nothing was done to the replicas": func(s *told) {
			s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == Fault || e.Kind == Over })
		},
		"nobody was active when the trial was over": func(s *told) { s.change(Ended, 3, func(e *Event) { e.At = int64(39 * time.Second) }) },
		"c (pid 3) ended by itself":                 func(s *told) { s.drop(Ending, 3) },
		"work of c under token 3 never ended":       func(s *told) { s.drop(Ended, 3); s.drop(Exited, 3) },
		"a released the Lease 20ms before its work ended": func(s *told) {
			s.change(Ended, 1, func(e *Event) { e.At = int64(12040 * time.Millisecond) })
			s.change(Exited, 1, func(e *Event) { e.At = int64(12050 * time.Millisecond) })
		},
		"b worked under token 2 beside a under token 0": func(s *told) { // beside another elector's, and that counts
			s.limits.Terms, s.limits.Peers = 4, true
			s.event(12.05, Event{Kind: Acquired, PID: 4})
			s.event(16, Event{Kind: Ended, PID: 4})
		},
		"b worked under token 0 beside b under token 2": func(s *told) { // another elector's, beside one of ours
			s.limits.Terms = 4
			s.event(15, Event{Kind: Acquired, PID: 5})
			s.event(16, Event{Kind: Ended, PID: 5})
		},
		"an announcement was refused":  func(s *told) { s.limits.Admitted = true },
		"the Lease was never released": func(s *told) { s.drop(Released, 0) },
		"4 terms began, not 3": func(s *told) {
			s.event(35, Event{Kind: Acquired, PID: 4})
			s.event(36, Event{Kind: Ended, PID: 4})
		},
	} {
		t.Run(want, func(t *testing.T) {
			s := good()
			spoil(s)
			v := s.run()
			require.False(t, v.OK())
			require.Contains(t, strings.Join(v.Violations, "\n"), want)
		})
	}
}
