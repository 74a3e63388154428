package statuspage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// view is what the page shows.
type view struct {
	Now      time.Time
	Lease    string // namespace/name
	Summary  summary
	Replicas []card
	Terms    []row
	Lanes    []lane
	Begin    time.Time // where lanes begin
	Last     Seen      // the newest answer
}

// summary is who is active.
type summary struct {
	Level  string // ok, warn or bad
	Mark   string // a sign beside the color
	Says   string
	Detail string
	Since  time.Time // may be zero
	Epoch  string
}

// card is one replica.
type card struct {
	Seen
	Name, Rest string // of its identity
	State      string
	Level      string
	Until      int64   // milliseconds since 1970: when its term ends unless renewed; 0 without a term
	Left, Full float64 // seconds of validity: now, and right after a renewal
	Notes      []note
}

const (
	ok   = "ok"
	warn = "warn"
	bad  = "bad"
)

// newView returns what seen means at now, which is a time of this machine's clock.
func newView(seen []Seen, now time.Time) *view {
	v := &view{Now: now.Round(0).UTC(), Lease: "not known yet"}
	for _, s := range seen {
		if s.Status.Identity != "" && (v.Last.Status.Identity == "" || fresher(s, v.Last)) {
			v.Last = s
		}
		v.Replicas = append(v.Replicas, newCard(s, seen, now))
	}
	if last := v.Last.Status; last.Name != "" {
		v.Lease = last.Namespace + "/" + last.Name
	}
	terms := merged(seen)
	v.Terms = rows(terms, now)
	v.Lanes, v.Begin = lanes(terms, now)
	v.Summary = summarize(seen, v.Last, terms)
	return v
}

// fresher reports whether a says more of the present than b.
func fresher(a, b Seen) bool {
	if (a.Error == "") != (b.Error == "") {
		return a.Error == ""
	}
	return holds(a.Status) && !holds(b.Status) ||
		holds(a.Status) == holds(b.Status) && a.Status.At.After(b.Status.At)
}

// holds reports whether the replica is sure that it holds the Lease.
func holds(s Status) bool { return s.ValidForSeconds > 0 }

func newCard(s Seen, all []Seen, now time.Time) card {
	c := card{Seen: s, State: s.Status.State, Full: s.Status.Timings.RenewDeadlineSeconds}
	c.Name, c.Rest = split(s.Status.Identity)
	c.Level = levelOf(s.Status.State)
	if c.Name == "" {
		c.Name = s.URL
	}
	if holds(s.Status) {
		// An answer that is old is right all the same: it said until when the term is valid.
		left := time.Duration(s.Status.ValidForSeconds * float64(time.Second))
		until := s.Status.At.Add(left).Round(100 * time.Millisecond)
		c.Until, c.Left = until.UnixMilli(), max(0, until.Sub(now).Seconds())
	}
	c.Notes = append(notes(s), differences(s, all)...)
	if s.Error != "" {
		c.State, c.Level = "no answer", bad
	}
	return c
}

func levelOf(state string) string {
	switch state {
	case "active":
		return ok
	case "draining", "acquiring", "stopped":
		return warn
	}
	return ""
}

// split divides an identity into what names the Pod, and the random rest.
func split(identity string) (name, rest string) {
	i := strings.LastIndexByte(identity, '_')
	if i < 0 {
		return identity, ""
	}
	return identity[:i], identity[i:]
}

func nameOf(identity string) string {
	name, _ := split(identity)
	return name
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
		return summaryOf(active[0])
	}
	return summaryOfNobody(seen, last.Status, terms)
}

// summaryOf is that of a replica that holds the Lease.
func summaryOf(s Status) summary {
	out := summary{
		Level: ok, Mark: "✓", Says: nameOf(s.Identity) + " is active",
		Since: s.Holder.Since, Epoch: s.Holder.Epoch,
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
		return summaryOfOther(seen, s)
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
func summaryOfOther(seen []Seen, s Status) summary {
	if s.OtherProgram != "" {
		return summary{
			Level: bad, Mark: "✕", Since: s.Holder.Since, Epoch: s.Holder.Epoch,
			Says:   nameOf(s.Holder.Identity) + " holds the Lease, of another program",
			Detail: s.OtherProgram + " shares the Lease by mistake: give one of the two another name.",
		}
	}
	out := summary{
		Mark: "•", Says: nameOf(s.Holder.Identity) + " holds the Lease",
		Since: s.Holder.Since, Epoch: s.Holder.Epoch,
		Detail: fmt.Sprintf("%s sees it that way, and stands by.", nameOf(s.Identity)),
	}
	silent := slices.ContainsFunc(seen, func(o Seen) bool {
		return o.Error != "" && o.Status.Identity == s.Holder.Identity
	})
	if silent {
		out.Level, out.Mark = bad, "✕"
		out.Says += ", but does not answer"
		out.Detail = fmt.Sprintf("It renewed the Lease last at %s UTC."+
			" If no renewal follows, a standby takes over %v s after it.",
			clock(s.Lease.RenewTime), s.Timings.LeaseDurationSeconds)
	}
	return out
}
