//go:build unix

package trial

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Limits are what [Audit] measures against.
type Limits struct {
	// Back is how soon after a fault's end a replica has to be active.
	Back time.Duration
	// Stop is how soon work has to end after the thaw of its process.
	Stop time.Duration
	// Noise is what a busy machine is forgiven beyond Back and Stop; the verdict
	// says so.
	Noise time.Duration

	// Peers has client-go's terms count, too: none overlaps with a later one.
	Peers bool

	// What must have happened, or the trial proves too little.
	Terms    int  // exactly that many before the trial was over; 0: any
	Stale    bool // a stale write was attempted
	Conflict bool // a token was refused whose epoch another term had used
	Admitted bool // every announcement was admitted
	Released bool // the Lease was seen released
}

// Verdict is the outcome of an audit.
type Verdict struct {
	Violations []string

	Terms          int           // before the trial was over, of hotseat and of others
	Records        int           // in the ledger
	Overlap        time.Duration // of terms that count with later ones, but for those frozen when the next began
	StaleAttempted int
	StaleRefused   int
	Back           time.Duration // the longest from a fault's end to an active replica
	Slow           bool          // over a bound, within the noise
}

// OK reports whether there are no violations.
func (v *Verdict) OK() bool { return len(v.Violations) == 0 }

// Audit judges a trial by the ledger and the events. It trusts neither the
// guard nor the electors: it shares no code with them but the token.
func Audit(entries []Entry, events []Event, limits Limits) Verdict {
	// Each process reports in order; between processes their common clock decides.
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(x, y Event) int { return cmp.Compare(x.At, y.At) })
	a := auditor{entries: entries, events: events, limits: limits}
	a.findTerms()
	a.checkTokens()
	a.checkLedger()
	a.checkAnswers()
	a.checkOverlap()
	a.checkFaults()
	a.checkProcesses()
	a.checkReleases()
	return a.Verdict
}

type auditor struct {
	entries []Entry
	events  []Event
	limits  Limits
	Verdict
	terms []term // by start of work
}

// term is the stretch of work between two events of one process.
type term struct {
	token      fencing.Token // zero: client-go's
	replica    string
	pid        int
	start, end int64
}

func (a *auditor) violate(format string, args ...any) {
	a.Violations = append(a.Violations, fmt.Sprintf(format, args...))
}

// findTerms pairs each start of work with its end: its return, or the end of
// its process.
func (a *auditor) findTerms() {
	over := int64(math.MaxInt64)
	for _, e := range a.events {
		switch e.Kind {
		case Acquired:
			a.terms = append(a.terms, term{token: e.Token, replica: e.Replica, pid: e.PID, start: e.At, end: math.MaxInt64})
			if e.At < over {
				a.Terms++
			}
		case Ended, Exited:
			for i := range a.terms {
				if t := &a.terms[i]; t.pid == e.PID && t.end == math.MaxInt64 {
					t.end = e.At
				}
			}
		case Stopping:
			over = e.At
		}
	}
	for _, t := range a.terms {
		if t.end == math.MaxInt64 {
			a.violate("work of %s under token %d never ended", t.replica, t.token.Epoch)
		}
	}
	if a.Terms == 0 {
		a.violate("no replica ever was active")
	}
	if want := a.limits.Terms; want > 0 && a.Terms != want {
		a.violate("%d terms began, not %d", a.Terms, want)
	}
}

// checkTokens: each term's token is greater than every earlier term's.
func (a *auditor) checkTokens() {
	var highest int64
	for _, t := range a.terms {
		if t.token.IsZero() {
			continue
		}
		if t.token.Epoch <= highest {
			a.violate("%s started work under token %d after a term with token %d", t.replica, t.token.Epoch, highest)
		}
		highest = max(highest, t.token.Epoch)
	}
}

// checkLedger: in its order no token follows a greater one, each was announced
// before its first record, and each record is there once, from its own term.
func (a *auditor) checkLedger() {
	var mark fencing.Token
	announced, written, conflicts := map[fencing.Token]bool{}, map[Record]bool{}, 0
	for i, e := range a.entries {
		var stale *fencing.StaleError
		switch {
		case e.Refused != nil:
			if errors.Is(e.Refused, fencing.ErrConflict) {
				conflicts++
			}
			if a.limits.Admitted && e.Kind == Announcement {
				a.violate("ledger %d: an announcement was refused: %v", i, e.Refused)
			}
			if errors.As(e.Refused, &stale) && e.Kind == Writing {
				a.StaleAttempted++
				a.StaleRefused++
			} else if e.Kind == Writing {
				a.violate("ledger %d: a record of %s was refused, but not for an old token: %v", i, e.Record.Replica, e.Refused)
			}
			continue
		case e.Token.Epoch < mark.Epoch:
			if e.Kind == Writing {
				a.StaleAttempted++
			}
			a.violate("ledger %d: %s with token %d accepted after token %d", i, e.Kind, e.Token.Epoch, mark.Epoch)
		case e.Token.Epoch == mark.Epoch && e.Token != mark:
			a.violate("ledger %d: two terms share token %d", i, e.Token.Epoch)
		default:
			mark = e.Token
		}
		if e.Kind == Announcement {
			announced[e.Token] = true
			continue
		}
		a.Records++
		if written[e.Record] {
			a.violate("ledger %d: record %d of %s (pid %d) is there twice", i, e.Record.N, e.Record.Replica, e.Record.PID)
		}
		written[e.Record] = true
		if !announced[e.Token] {
			a.violate("ledger %d: record with token %d before it was announced", i, e.Token.Epoch)
		}
		if !slices.ContainsFunc(a.terms, func(t term) bool { return t.token == e.Token && t.pid == e.Record.PID }) {
			a.violate("ledger %d: %s (pid %d) wrote with token %d, which is not its own", i, e.Record.Replica, e.Record.PID, e.Token.Epoch)
		}
	}
	if a.Records == 0 {
		a.violate("the ledger has no records")
	}
	if a.limits.Stale && a.StaleAttempted == 0 {
		a.violate("no stale write was attempted")
	}
	if a.limits.Conflict && conflicts == 0 {
		a.violate("no token was refused for its epoch")
	}
}

// checkAnswers: what was acknowledged is in the ledger, what was refused is not.
func (a *auditor) checkAnswers() {
	in := map[Record]bool{}
	for _, e := range a.entries {
		if e.Kind == Writing && e.Refused == nil {
			in[e.Record] = true
		}
	}
	for _, e := range a.events {
		there := in[Record{Replica: e.Replica, PID: e.PID, N: e.N}]
		switch {
		case e.Kind == Written && !there:
			a.violate("record %d of %s (pid %d) was acknowledged and is not in the ledger", e.N, e.Replica, e.PID)
		case e.Kind == Refused && there:
			a.violate("record %d of %s (pid %d) was refused and is in the ledger", e.N, e.Replica, e.PID)
		}
	}
}
