package main

import (
	"fmt"
	"strconv"
	"time"
)

const timeFormat = "2006-01-02 15:04:05 MST"

// width is that of the narrowest terminal that the text is made for.
const width = 80

// printReport writes the one screen.
func (c *call) printReport(r *report, s scope) {
	c.print("%s", r.heading(s))
	if len(r.Leases) > 0 {
		c.print("")
		table(c.stdout, "", r.rows(s.namespace == "", c.serverTime()))
	}
	if s.name != "" && len(r.Leases) == 1 {
		c.print("")
		table(c.stdout, "  ", r.Leases[0].details(c.serverTime()))
	}
	if len(r.Replicas) > 0 {
		c.print("")
		table(c.stdout, "", r.replicaRows())
	}
	c.printProblems(r, s)
	if s.name != "" {
		for _, e := range r.Leases {
			for _, note := range e.Notes {
				c.print("note: %s", wrap(note, width-6, "      "))
			}
		}
	}
	for _, note := range r.Notes {
		c.print("note: %s", wrap(note, width-6, "      "))
	}
	if r.Others > 0 {
		c.print("note: not shown: %d of other programs, which hotseat has never written", r.Others)
	}
}

func (r *report) heading(s scope) string {
	where := "namespace " + s.namespace
	if s.namespace == "" {
		where = "all namespaces"
	}
	if s.name != "" {
		where = "Lease " + s.name + ", " + where
	}
	if len(r.Leases) == 0 {
		where += ": no Lease of hotseat"
	}
	return fmt.Sprintf("%s, %s, watched for %.1fs", where, r.ReadAt.Format(timeFormat), r.LookedFor)
}

// rows of the table, one for each Lease.
func (r *report) rows(namespaces bool, now time.Time) [][]string {
	rows := [][]string{{"LEASE", "STATE", "HOLDER", "EPOCH", "SINCE", "RENEWED", "TERMS"}}
	for _, e := range r.Leases {
		row := []string{e.Name, e.State, "-", "-", "-", e.renewed(), strconv.Itoa(int(e.Transitions))}
		if e.Holder != nil {
			row[2], row[3], row[4] = e.Holder.Pod, dash(e.Holder.Epoch), e.Holder.held(now)
		}
		rows = append(rows, row)
	}
	if namespaces {
		rows[0] = append(append([]string{"NAMESPACE"}, rows[0]...), "PROGRAM")
		for i, e := range r.Leases {
			program := "-"
			if e.Holder != nil {
				program = dash(e.Holder.Program)
			}
			rows[i+1] = append(append([]string{e.Namespace}, rows[i+1]...), program)
		}
	}
	return rows
}

// renewed says whether a renewal was seen, which is certain. Else it is by two clocks.
func (e entry) renewed() string {
	switch {
	case e.Renewal.At.IsZero():
		return "-"
	case e.Renewal.Seen > 0:
		return "seen"
	}
	return short(time.Duration(e.Renewal.Age*float64(time.Second))) + " ago"
}

// details are lines about one Lease.
func (e entry) details(now time.Time) [][]string {
	var rows [][]string
	add := func(name, text string) { rows = append(rows, []string{name, text}) }
	if h := e.Holder; h != nil {
		add("holder", h.Identity)
		add("program", dash(h.Program))
		add("token", dash(h.Token))
		if !h.Since.IsZero() {
			add("since", fmt.Sprintf("%s (%s), by the holder's clock", h.Since.Format(timeFormat),
				h.held(now)))
		}
	}
	if !e.Renewal.At.IsZero() {
		add("renewed", fmt.Sprintf("%s, by the holder's clock; seen %d times",
			e.Renewal.At.Format(timeFormat), e.Renewal.Seen))
	}
	if e.Renewal.Duration > 0 && e.Holder != nil {
		add("duration", fmt.Sprintf("%.0fs: a standby waits for so long after the last renewal",
			e.Renewal.Duration))
	}
	add("successor", dash(e.Successor))
	return rows
}

func (c *call) printProblems(r *report, s scope) {
	c.print("")
	var problems, warnings []string
	for _, e := range r.Leases {
		name := e.Name
		if s.namespace == "" {
			name = e.Namespace + "/" + e.Name
		}
		for _, problem := range e.Problems {
			problems = append(problems, name+": "+problem)
		}
		for _, warning := range e.Warnings {
			warnings = append(warnings, name+": "+warning)
		}
	}
	problems = append(problems, r.Problems...)
	for _, problem := range problems {
		c.print("PROBLEM: %s", wrap(problem, width-9, "         "))
	}
	for _, warning := range warnings {
		c.print("WARNING: %s", wrap(warning, width-9, "         "))
	}
	switch {
	case len(problems) > 0 || len(r.Leases) == 0:
	case len(r.Replicas) > 0:
		c.print("No problem found.")
	case s.name == "":
		c.print("No problem on the Leases. To ask the replicas, name a Lease.")
	default:
		c.print("No problem on the Lease. No replica was asked.")
	}
}
