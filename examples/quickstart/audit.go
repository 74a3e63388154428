package main

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// failoverMargin is what the library promises to add to a full lease at most.
const failoverMargin = 500 * time.Millisecond

// noise is what the audit forgives a busy machine beyond a bound, for example
// one that runs three test suites on two cores. Times over the bound and within
// the noise are marked as slow.
const noise = 2 * time.Second

// limits are what the audit measures against.
type limits struct {
	Lease      time.Duration
	StopBudget time.Duration
	Noise      time.Duration
	Faults     []fault // that must have happened, or the audit proves too little
}

// audit judges what the replicas did, from the ledger they left and the events
// that they and the story reported. It trusts neither the guard nor the
// electors: it shares no code with them but the token.
func audit(entries []entry, events []event, lim limits) report {
	a := auditor{entries: entries, events: events, limits: lim}
	a.findTerms()
	a.checkTokens()
	a.checkLedger()
	a.checkWrites()
	a.checkOverlap()
	a.checkFaults()
	a.checkProcesses()
	a.OK = len(a.Violations) == 0
	return a.report
}

type auditor struct {
	entries []entry
	events  []event
	limits
	report
	terms []term // by start of work
}

// term is the stretch of work between two events of one process.
type term struct {
	token      fencing.Token
	replica    string
	pid        int
	start, end int64
}

// findTerms pairs each start of work with its end: its return, or the end of
// its process.
func (a *auditor) findTerms() {
	for _, e := range a.events {
		switch e.Kind {
		case kindAcquired:
			a.terms = append(a.terms, term{token: e.Token, replica: e.Replica, pid: e.PID, start: e.At, end: math.MaxInt64})
		case kindEnded, kindExited:
			for i := range a.terms {
				t := &a.terms[i]
				if t.pid == e.PID && t.end == math.MaxInt64 && (e.Kind == kindExited || t.token == e.Token) {
					t.end = e.At
				}
			}
		}
	}
	slices.SortStableFunc(a.terms, func(x, y term) int { return cmp.Compare(x.start, y.start) })
	for _, t := range a.terms {
		a.Epochs = append(a.Epochs, t.token.Epoch)
		if t.end == math.MaxInt64 {
			a.violate("work of %s under token %d never ended", t.replica, t.token.Epoch)
		}
	}
	a.Terms = len(a.terms)
	if a.Terms == 0 {
		a.violate("no replica ever was active")
	}
}

// checkTokens: each term's token is greater than every earlier term's.
func (a *auditor) checkTokens() {
	var highest int64
	for _, t := range a.terms {
		if t.token.Epoch <= highest {
			a.violate("%s started work under token %d after a term with token %d", t.replica, t.token.Epoch, highest)
		}
		highest = max(highest, t.token.Epoch)
	}
}

// checkLedger: in the order of the file no token follows a greater one, each
// was announced before its first record, and by one term only.
func (a *auditor) checkLedger() {
	var mark fencing.Token
	announced := map[fencing.Token]bool{}
	for i, e := range a.entries {
		line := i + 1
		switch {
		case e.Token.Epoch < mark.Epoch && e.Kind == entryRecord:
			a.StaleAccepted++
			a.violate("ledger line %d: record with token %d accepted after token %d", line, e.Token.Epoch, mark.Epoch)
		case e.Token.Epoch < mark.Epoch:
			a.violate("ledger line %d: token %d announced after token %d", line, e.Token.Epoch, mark.Epoch)
		case e.Token.Epoch == mark.Epoch && e.Token != mark:
			a.violate("ledger line %d: two terms share token %d", line, e.Token.Epoch)
		default:
			mark = e.Token
		}
		switch e.Kind {
		case entryAnnounced:
			announced[e.Token] = true
		case entryRecord:
			a.Records++
			if !announced[e.Token] {
				a.violate("ledger line %d: record with token %d before it was announced", line, e.Token.Epoch)
			}
			if t := a.termOf(e.Token); t == nil || t.pid != e.PID {
				a.violate("ledger line %d: %s (pid %d) wrote with token %d, which is not its own", line, e.Replica, e.PID, e.Token.Epoch)
			}
		default:
			a.violate("ledger line %d: unknown kind %q", line, e.Kind)
		}
	}
	if a.Records == 0 {
		a.violate("the ledger has no records")
	}
}

func (a *auditor) termOf(token fencing.Token) *term {
	for i := range a.terms {
		if a.terms[i].token == token {
			return &a.terms[i]
		}
	}
	return nil
}

// checkWrites: the ledger has each acknowledged record exactly once and no
// refused one, and only old tokens were refused.
func (a *auditor) checkWrites() {
	count := map[record]int{}
	for _, e := range a.entries {
		if e.Kind == entryRecord {
			count[e.record]++
		}
	}
	for r, n := range count {
		if n > 1 {
			a.violate("record %d of %s (pid %d) is in the ledger %d times", r.N, r.Replica, r.PID, n)
		}
	}
	for _, e := range a.events {
		n := count[record{Replica: e.Replica, PID: e.PID, N: e.N}]
		switch e.Kind {
		case kindWritten:
			a.Acknowledged++
			if n == 0 {
				a.violate("record %d of %s (pid %d) was acknowledged and is not in the ledger", e.N, e.Replica, e.PID)
			}
		case kindRefused:
			if n != 0 {
				a.violate("record %d of %s (pid %d) was refused and is in the ledger", e.N, e.Replica, e.PID)
			}
			if e.Stale {
				a.StaleRefused++
			} else {
				a.violate("record %d of %s (pid %d) was refused, but not for an old token: %s", e.N, e.Replica, e.PID, e.Text)
			}
		}
	}
	a.StaleAttempted = a.StaleRefused + a.StaleAccepted
}

// checkOverlap: no two terms' work at one time, unless the earlier one's
// process was frozen when the later began, and stopped soon after its thaw.
func (a *auditor) checkOverlap() {
	for i, earlier := range a.terms {
		for _, later := range a.terms[i+1:] {
			if later.start >= earlier.end {
				continue
			}
			thaw, frozen := a.thawOf(earlier.pid, later.start)
			if !frozen {
				a.violate("%s worked under token %d beside %s under token %d for %v", later.replica, later.token.Epoch,
					earlier.replica, earlier.token.Epoch, time.Duration(min(earlier.end, later.end)-later.start))
				continue
			}
			awake := time.Duration(earlier.end - thaw)
			if awake > a.StopBudget+a.Noise {
				a.violate("%s went on for %v after its thaw, beside token %d", earlier.replica, awake, later.token.Epoch)
			}
			a.Excepted = append(a.Excepted, overlap{Replica: earlier.replica, Beside: later.token.Epoch, Awake: awake})
		}
	}
}

// thawOf tells whether a process was frozen at an instant, and until when.
func (a *auditor) thawOf(pid int, at int64) (thaw int64, frozen bool) {
	var froze int64
	for _, e := range a.events {
		switch {
		case e.PID != pid:
		case e.Kind == kindFault && e.Fault == faultFreeze:
			froze = e.At
		case e.Kind == kindThaw && froze != 0:
			if froze <= at && at <= e.At {
				return e.At, true
			}
			froze = 0
		}
	}
	return 0, false
}
