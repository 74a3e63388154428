package main

import (
	"fmt"
	"strings"
	"time"
)

// report is the outcome of the audit.
type report struct {
	OK         bool     `json:"ok"` // no violations
	Violations []string `json:"violations,omitempty"`

	Processes    int     `json:"processes"`
	Terms        int     `json:"terms"`
	Epochs       []int64 `json:"epochs"` // of the terms in order of work
	Records      int     `json:"records"`
	Acknowledged int     `json:"acknowledged"` // records that a replica knows are written

	StaleAttempted int `json:"stale_attempted"`
	StaleRefused   int `json:"stale_refused"`
	StaleAccepted  int `json:"stale_accepted"`

	Excepted   []overlap  `json:"excepted_overlaps"` // with a process that was frozen
	Recoveries []recovery `json:"recoveries"`
}

// overlap is the work of a process that was frozen when its successor began.
type overlap struct {
	Replica string        `json:"replica"`
	Beside  int64         `json:"beside"`   // the successor's epoch
	Awake   time.Duration `json:"awake_ns"` // how long it worked after its thaw
}

// recovery is the time from a fault to the start of the next work.
type recovery struct {
	Fault fault         `json:"fault"`
	From  string        `json:"from"`
	To    string        `json:"to"`
	Took  time.Duration `json:"took_ns"`
	Bound time.Duration `json:"bound_ns"`
	Slow  bool          `json:"slow,omitempty"` // over the bound, within what a busy machine is forgiven
}

func (r *report) violate(format string, args ...any) {
	r.OK = false
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// lines is the report for people.
func (r *report) lines() []string {
	out := []string{
		fmt.Sprintf("Audit: %d processes, %d terms, %d records in the ledger", r.Processes, r.Terms, r.Records),
		"  tokens of the terms   " + strings.Trim(fmt.Sprint(r.Epochs), "[]"),
		fmt.Sprintf("  acknowledged writes   %d", r.Acknowledged),
		fmt.Sprintf("  stale writes          %d attempted, %d refused, %d accepted", r.StaleAttempted, r.StaleRefused, r.StaleAccepted),
	}
	if len(r.Excepted) == 0 {
		out = append(out, "  overlapping work      none")
	}
	for _, o := range r.Excepted {
		out = append(out, fmt.Sprintf("  overlapping work      none but frozen %s, which stopped %s after its thaw", o.Replica, seconds(o.Awake)))
	}
	for _, v := range r.Recoveries {
		slow := ""
		if v.Slow {
			slow = ", SLOW: busy machine?"
		}
		out = append(out, fmt.Sprintf("  %-21s %s -> %s in %s (bound %s%s)", v.Fault, v.From, v.To, seconds(v.Took), seconds(v.Bound), slow))
	}
	for _, v := range r.Violations {
		out = append(out, "  VIOLATION: "+v)
	}
	if r.OK {
		return append(out, "The audit holds: tokens only grew, no two worked at once, no stale write got in.")
	}
	return append(out, "The audit DOES NOT HOLD.")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
