package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shrink looks for a smaller plan that still fails: first with fewer faults
// (delta debugging), then with rounder and shorter ones.
// fails plays a plan and says whether it fails in the way that matters; it is
// called a few hundred times.
func Shrink(p Plan, fails func(Plan) bool) Plan {
	with := func(faults []Fault) Plan {
		q := p
		q.Faults = faults
		return q
	}
	p.Faults = fewer(p.Faults, func(f []Fault) bool { return fails(with(f)) })
	for i := range p.Faults {
		for _, simpler := range p.Faults[i].simpler() {
			faults := slices.Clone(p.Faults)
			faults[i] = simpler
			if fails(with(faults)) {
				p.Faults = faults
			}
		}
	}
	return p
}

// fewer is the ddmin of Zeller: it drops ever smaller parts for as long as the
// rest still fails.
func fewer(faults []Fault, fails func([]Fault) bool) []Fault {
	for parts := 2; len(faults) > 1 || parts == 2 && len(faults) == 1; {
		size := (len(faults) + parts - 1) / parts
		dropped := false
		for at := 0; at < len(faults); at += size {
			rest := slices.Concat(faults[:at], faults[min(at+size, len(faults)):])
			if fails(rest) {
				faults, dropped = rest, true
				parts = max(2, parts-1)
				break
			}
		}
		if !dropped {
			if size == 1 {
				break
			}
			parts = min(2*parts, len(faults))
		}
	}
	return faults
}

// simpler are versions of a fault that are easier to tell, each tried on top of
// those that were kept.
func (f Fault) simpler() []Fault {
	var out []Fault
	for _, unit := range []time.Duration{time.Second, 100 * time.Millisecond} {
		g := f
		g.At = g.At.Round(unit)
		out = append(out, g)
	}
	for _, part := range []time.Duration{4, 2} {
		g := f
		g.For = (g.For / part).Round(time.Millisecond)
		if f.For > 0 && g.For > 0 {
			out = append(out, g)
		}
	}
	return out
}

// Report is a failed run as a story, with the command that plays it again.
func (r Result) Report() string {
	var b strings.Builder
	p := r.Plan
	fmt.Fprintf(&b, "seed %d, lease %v, renew deadline %v, retry period %v, drift %.3f\n", p.Seed,
		p.Timing.LeaseDuration, p.Timing.RenewDeadline, p.Timing.RetryPeriod, p.Timing.MaxClockDrift)
	for i, n := range p.Nodes {
		fmt.Fprintf(&b, "  %s: %v", name(i), n.Elector)
		if n.Fast {
			fmt.Fprintf(&b, ", clock %.3f times as fast", p.rate(n))
		}
		if n.Skew != 0 {
			fmt.Fprintf(&b, ", wall clock off by %v", n.Skew)
		}
		fmt.Fprintln(&b)
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  at %-9v %v\n", f.At, f)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "VIOLATION %v\n", v)
	}
	fmt.Fprintln(&b, "what happened:")
	for _, l := range brief(r.Story) {
		fmt.Fprintln(&b, l)
	}
	fmt.Fprintf(&b, "again: %s\n", p.Replay())
	return b.String()
}

// storyLines is how much of a story is told on each side of what matters.
const storyLines = 150

// brief is a story up to a little after its first violation, with its dull
// middle left out.
func brief(story []string) []string {
	end := len(story)
	for i, l := range story {
		if strings.Contains(l, "VIOLATION") {
			end = min(len(story), i+5)
			break
		}
	}
	story = story[:end]
	if len(story) <= 2*storyLines {
		return story
	}
	left := fmt.Sprintf("%12s  ... %d lines left out", "", len(story)-2*storyLines)
	return slices.Concat(story[:storyLines], []string{left}, story[len(story)-storyLines:])
}
