package statuspage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// summary is who is active.
type summary struct {
	Level  string // ok, warn or bad
	Mark   string // a sign beside the color
	Says   string
	Detail string
	Since  time.Time // may be zero
	Epoch  string
	Answer time.Time // the last one of a holder that does not answer; else zero
	Due    time.Time // when a standby takes the Lease from it, unless it renews; may be zero
}

// summarize says who is active, as far as those know that answer.
func summarize(seen []Seen, last Seen, terms []Term) summary {
	var active []Status
	answers := 0
	for _, s := range seen {
		if s.Error == "" {
			answers++
			same := func(o Status) bool { return o.Identity == s.Status.Identity } // by another URL
			if holds(s.Status) && !slices.ContainsFunc(active, same) {
				active = append(active, s.Status)
			}
		}
	}
	slices.SortFunc(active, func(a, b Status) int {
		return cmp.Compare(number(b.Holder.Epoch), number(a.Holder.Epoch))
	})
	switch {
	case answers == 0:
		return summary{Level: bad, Mark: "✕", Says: "No replica answers"}
	case len(active) > 1 && active[1].At.After(active[0].Holder.Since):
		return summary{
			Level: bad, Mark: "✕", Says: fmt.Sprintf("%d replicas say that they are active", len(active)),
			Detail: "Their clocks may differ. The guards refuse the writes of the lower epoch.",
		}
	case len(active) > 0:
		return summaryOf(active[0], terms)
	}
	return summaryOfNobody(seen, last.Status, terms)
}

// summaryOf is that of a replica that holds the Lease.
func summaryOf(s Status, terms []Term) summary {
	out := summary{
		Level: ok, Mark: "✓", Says: nameOf(s.Identity) + " is active",
		Since: began(s.Holder, terms), Epoch: s.Holder.Epoch,
	}
	switch {
	case s.Overrun:
		out.Level, out.Mark = bad, "✕"
		out.Says = nameOf(s.Identity) + " is stuck: its work does not return"
	case s.State == "draining":
		out.Level, out.Mark = warn, "!"
		out.Says = nameOf(s.Identity) + " is draining: its work has to return first"
	case slices.ContainsFunc(s.Guards, func(g Guard) bool {
		return !g.Accepted && number(g.Epoch) >= number(s.Holder.Epoch) // else of an earlier term
	}):
		out.Level, out.Mark = warn, "!"
		out.Detail = "A guard did not accept its token: see below."
	}
	return out
}

// began is since when h holds the Lease. The table has the same time, if a replica saw the term
// begin.
func began(h Holder, terms []Term) time.Time {
	if len(terms) > 0 {
		if t := terms[0]; t.Holder == h.Identity && t.End.IsZero() && !t.Joined {
			return t.Start
		}
	}
	return h.Since
}

// summaryOfNobody is for the case that no replica that answers is active.
func summaryOfNobody(seen []Seen, s Status, terms []Term) summary {
	out := summary{Level: bad, Mark: "✕", Says: "Nobody is active"}
	if len(terms) > 0 {
		out.Since = terms[0].End
	}
	switch {
	case s.LeaseMissing:
		out.Says = "Nobody is active: the Lease is missing"
	case s.Holder.Dead:
		out.Says = "Nobody is active: " + nameOf(s.Holder.Identity) + " is dead"
	case s.Holder.Identity != "" && !s.Holder.Self:
		return summaryOfOther(seen, s, terms)
	default:
		out.Detail = whatGuardsSay(seen, terms)
	}
	return out
}

// whatGuardsSay is why the guards keep everybody from work; empty if they do not.
func whatGuardsSay(seen []Seen, terms []Term) string {
	if len(terms) == 0 {
		return ""
	}
	last := terms[0].Epoch
	for _, s := range seen {
		for _, g := range s.Status.Guards {
			switch {
			case s.Error != "" || g.Accepted:
			case number(g.Mark) > number(last): // also if it told that to an earlier term
				return fmt.Sprintf("Guard %d has seen epoch %s, so it refuses the last term, epoch %s.",
					g.Index, g.Mark, last)
			case g.Epoch == last:
				return fmt.Sprintf("Guard %d did not accept the last term, epoch %s: %s.",
					g.Index, g.Epoch, g.Kind)
			}
		}
	}
	return ""
}

// summaryOfOther is for a holder that does not answer, or that nobody has asked.
func summaryOfOther(seen []Seen, s Status, terms []Term) summary {
	if s.OtherProgram != "" {
		return summary{
			Level: bad, Mark: "✕", Since: s.Holder.Since, Epoch: s.Holder.Epoch,
			Says:   nameOf(s.Holder.Identity) + " holds the Lease, of another program",
			Detail: s.OtherProgram + " shares the Lease by mistake: give one of the two another name.",
		}
	}
	name := nameOf(s.Holder.Identity)
	out := summary{
		Mark: "•", Says: name + " holds the Lease",
		Since: began(s.Holder, terms), Epoch: s.Holder.Epoch,
	}
	holder, known := silent(seen, s.Holder.Identity)
	if !known {
		out.Detail = fmt.Sprintf("This page has answers only from %s. It cannot tell whether %s works.",
			strings.Join(answering(seen), ", "), name)
		return out
	}
	out.Level, out.Mark = bad, "✕"
	out.Says += ", but does not answer"
	out.Answer = holder.Status.At
	if !s.Lease.RenewTime.IsZero() {
		out.Detail = fmt.Sprintf("It renewed the Lease last at %s UTC.", clock(s.Lease.RenewTime))
		wait := max(s.Timings.LeaseDurationSeconds, float64(s.Lease.DurationSeconds))
		out.Due = s.Lease.RenewTime.Add(time.Duration(wait * float64(time.Second)))
	}
	return out
}

// silent returns what is known of the replica with that identity, if it does not answer.
func silent(seen []Seen, identity string) (s Seen, known bool) {
	for _, o := range seen {
		if identity == "" || o.Status.Identity != identity {
			continue
		}
		if o.Error == "" {
			return Seen{}, false
		}
		s, known = o, true
	}
	return s, known
}

// answering are the names of the replicas that answer.
func answering(seen []Seen) (names []string) {
	for _, s := range seen {
		if name := nameOf(s.Status.Identity); s.Error == "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
