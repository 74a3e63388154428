package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// seconds formats for a table.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case d == 0:
		return "0 s"
	case d.Abs() < time.Second:
		return fmt.Sprintf("%.3g ms", s*1000)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", s), ".0") + " s"
	}
}

// bar tells whether what was asked of hotseat was reached.
func bar(out io.Writer, what string, met bool) {
	verdict := "**missed**"
	if met {
		verdict = "met"
	}
	fmt.Fprintf(out, "\nBar: %s: %s.\n", what, verdict)
}

// settings are those of client-go's side that a row depends on.
func settings(timeout time.Duration, release bool) string {
	out := ", no client timeout"
	if timeout > 0 {
		out = ", client timeout " + seconds(timeout)
	}
	if release {
		out += ", ReleaseOnCancel"
	}
	return out
}

func tellOverlap(saw *seen) string { return overlap(saw.Contexts) }

func overlap(d time.Duration) string {
	if d <= 0 {
		return "0 overlap"
	}
	return seconds(d) + " overlap"
}

func tellTerms(saw *seen) string {
	if len(saw.Terms) == 1 {
		return "1 term"
	}
	return fmt.Sprintf("%d terms", len(saw.Terms))
}

func tellTokens(saw *seen) string {
	if saw.TokensGrow {
		return "token greater"
	}
	return "no token: leaseTransitions repeats or falls"
}

func tellToldAfterEdit(saw *seen) string {
	told, ok := saw.toldAfterEdit()
	if !ok {
		return "work is never told"
	}
	return "work context ends after " + seconds(told)
}

// toldAfterEdit is how long a's work context lived after somebody wrote
// another holder in.
func (s *seen) toldAfterEdit() (time.Duration, bool) {
	edit := s.first(func(c commit) bool { return c.to == "intruder" })
	ended := s.of("a")[0].Ended
	return ended.Sub(edit.at), !ended.IsZero()
}

// around are the last commit before the one that matches, and the next.
func (s *seen) around(match func(commit) bool) (before, after commit) {
	all := s.commits()
	for i, c := range all {
		if match(c) && i > 0 && i+1 < len(all) {
			return all[i-1], all[i+1]
		}
	}
	return commit{}, commit{}
}

// renewals are a candidate's writes of a Lease it held already.
func (s *seen) renewals(by string) int {
	n := 0
	for _, c := range s.commits() {
		if c.by == by && c.from == by && c.to == by {
			n++
		}
	}
	return n
}
