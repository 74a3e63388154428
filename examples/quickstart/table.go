package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// board is what the viewer is shown: the state of each replica, made of the
// events alone. It knows no terminal.
type board struct {
	renewDeadline time.Duration // validity at its fullest
	act           string
	rows          map[string]*row
	records       int
	epoch         int64 // the highest that worked
	began         int64 // the first event
}

// row is one replica; its counts go on when its process is replaced.
type row struct {
	pid      int
	state    string
	epoch    int64
	until    int64 // end of validity
	accepted int
	refused  int
	frozen   bool
}

const (
	stateStarting = "starting"
	stateActive   = "active" // singleton.StateActive in an event
	stateFrozen   = "FROZEN"
	stateGone     = "gone"
)

func newBoard(renewDeadline time.Duration) *board {
	return &board{renewDeadline: renewDeadline, rows: map[string]*row{}}
}

func (b *board) apply(e event) {
	if b.began == 0 {
		b.began = e.At
	}
	if e.Kind == kindAct {
		b.act = e.Text
	}
	if e.Replica == "" {
		return
	}
	r := b.rows[e.Replica]
	if r == nil {
		r = &row{}
		b.rows[e.Replica] = r
	}
	if e.Kind == kindStarted {
		r.pid, r.state, r.epoch, r.frozen = e.PID, stateStarting, 0, false
	}
	if e.PID != r.pid {
		return
	}
	switch e.Kind {
	case kindStatus:
		r.state, r.epoch, r.until = e.State, e.Token.Epoch, e.At+int64(e.Valid)
	case kindAcquired:
		b.epoch = max(b.epoch, e.Token.Epoch)
	case kindWritten:
		r.accepted++
		b.records++
	case kindRefused:
		r.refused++
	case kindFault:
		r.frozen = e.Fault == faultFreeze
	case kindThaw:
		r.frozen = false
	case kindExited:
		r.state, r.epoch, r.frozen = stateGone, 0, false
	}
}

const tableFormat = "  %-7s %7s  %-9s %11s  %-15s %9s %8s"

// lines renders the board for an instant.
func (b *board) lines(at int64, paint painter) []string {
	out := []string{
		"",
		paint.bold(b.act),
		paint.dim(fmt.Sprintf(tableFormat, "REPLICA", "PID", "STATE", "TOKEN", "VALID FOR", "ACCEPTED", "REFUSED")),
	}
	for _, name := range b.names() {
		r := b.rows[name]
		line := fmt.Sprintf(tableFormat, name, fmt.Sprint(r.pid), r.shownState(), r.token(), b.validity(r, at), fmt.Sprint(r.accepted), fmt.Sprint(r.refused))
		switch {
		case r.frozen:
			line = paint.cyan(line)
		case r.state == stateActive:
			line = paint.green(line)
		case r.state == stateGone:
			line = paint.dim(line)
		}
		out = append(out, line)
	}
	elapsed := time.Duration(at - b.began).Round(time.Second)
	return append(out, paint.dim(fmt.Sprintf("  ledger: %d records, highest token %d   time: %v   Ctrl-C stops everything", b.records, b.epoch, elapsed)))
}

func (b *board) names() []string {
	names := make([]string, 0, len(b.rows))
	for name := range b.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *row) shownState() string {
	if r.frozen {
		return stateFrozen
	}
	return r.state
}

func (r *row) token() string {
	if r.epoch == 0 {
		return "-"
	}
	return fmt.Sprint(r.epoch)
}

// validity counts down between reports, also while the process is frozen.
func (b *board) validity(r *row, at int64) string {
	if r.epoch == 0 {
		return "-"
	}
	const cells = 10
	left := max(0, time.Duration(r.until-at))
	full := min(cells, int((left*cells+b.renewDeadline/2)/b.renewDeadline))
	return fmt.Sprintf("%.1fs %s%s", left.Seconds(), strings.Repeat("#", full), strings.Repeat("-", cells-full))
}

// describe is an event as one line for people; empty if the table says it.
func describe(e event) string {
	switch e.Kind {
	case kindStarted:
		return fmt.Sprintf("%s  started, pid %d", e.Replica, e.PID)
	case kindAcquired:
		return fmt.Sprintf("%s  active, token %d", e.Replica, e.Token.Epoch)
	case kindEnded:
		return fmt.Sprintf("%s  work under token %d ended: %s", e.Replica, e.Token.Epoch, e.Text)
	case kindExited:
		return fmt.Sprintf("%s  gone: %s", e.Replica, e.Text)
	case kindRefused:
		why := e.Text
		if e.Stale {
			why = fmt.Sprintf("token %d is stale, the ledger has seen %d", e.Token.Epoch, e.Mark.Epoch)
		}
		return fmt.Sprintf("%s  record %d REFUSED: %s", e.Replica, e.N, why)
	case kindUnanswered:
		return fmt.Sprintf("%s  record %d unanswered: %s", e.Replica, e.N, e.Text)
	case kindLog:
		return fmt.Sprintf("%s  | %s", e.Replica, e.Text)
	case kindFault:
		return fmt.Sprintf("!  %s", e.Fault)
	case kindThaw:
		return "!  thaw"
	case kindStop:
		return "!  stopping every replica"
	default:
		return ""
	}
}

// painter colours text, or does not.
type painter bool

func (p painter) sgr(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) bold(text string) string  { return p.sgr("1", text) }
func (p painter) dim(text string) string   { return p.sgr("2", text) }
func (p painter) green(text string) string { return p.sgr("1;32", text) }
func (p painter) cyan(text string) string  { return p.sgr("1;36", text) }
