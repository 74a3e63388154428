package statuspage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// row is a term in the table.
type row struct {
	Term
	Name    string
	Lasted  string // empty while it lasts
	Because string
	Vacancy string // for how long nobody was active before it
	Lasts   bool
}

const mostRows = 12

func rows(terms []Term) (all []row) {
	for i, t := range terms {
		if i == mostRows {
			break
		}
		r := row{Term: t, Name: nameOf(t.Holder), Lasts: t.End.IsZero(), Because: because(t)}
		switch {
		case r.Lasts:
		case t.unclear():
			r.Lasted = "≥ " + short(t.Renewed.Sub(t.Start))
		case t.Joined:
			r.Lasted = "≥ " + short(t.End.Sub(t.Start))
		default:
			r.Lasted = short(t.End.Sub(t.Start))
		}
		if i+1 < len(terms) && !t.Joined {
			r.Vacancy = vacancy(terms[i+1], t)
		}
		all = append(all, r)
	}
	return all
}

// unclear reports whether the term may have ended long before others saw that.
func (t Term) unclear() bool {
	return !t.Own && !t.End.IsZero() && !t.Renewed.IsZero() &&
		t.Reason != string(singleton.ReasonReleased) && t.Reason != string(singleton.ReasonDeleted) &&
		t.Reason != string(singleton.ReasonCleared)
}

// vacancy is for how long nobody was active between two terms; empty if nobody can know.
func vacancy(before, after Term) string {
	end, most := before.End, ""
	if before.unclear() {
		end, most = before.Renewed, "≤ "
	}
	if end.IsZero() || after.Start.Before(end) {
		return ""
	}
	return most + short(after.Start.Sub(end))
}

const late = 5 * time.Minute // a failure is shown for that long

// failure returns the newest of all that ended by a failure of late; nil if there is none.
func failure(all []row, now time.Time) *row {
	for i, r := range all {
		switch singleton.Reason(r.Reason) {
		case "", singleton.ReasonResigned, singleton.ReasonShutdown, singleton.ReasonReturned,
			singleton.ReasonReleased, singleton.ReasonUnseen: // of which nobody knows
			continue
		}
		if now.Sub(r.End) < late {
			return &all[i]
		}
	}
	return nil
}

// because is the reason in words.
func because(t Term) string {
	if t.End.IsZero() {
		return "not yet"
	}
	return inWords(t.Reason)
}

// inWords is a [singleton.Reason] for people.
func inWords(reason string) string {
	text, known := map[string]string{
		"expired":     "not renewed in time",
		"taken":       "another replica took the Lease",
		"cleared":     "somebody removed the holder from the Lease",
		"deleted":     "somebody deleted the Lease",
		"fenced":      "somebody raised the epoch on the Lease",
		"refused":     "a guard refused the token",
		"unavailable": "a guard did not answer",
		"resigned":    "resigned",
		"shutdown":    "the replica was stopped",
		"returned":    "work returned",
		"panicked":    "work panicked",
		"stalled":     "work reported no progress",
		"released":    "released by its holder",
		"dead":        "the holder's process died",
		"replaced":    "somebody deleted the Lease and created it again",
		"unseen":      "nobody saw why",
	}[reason]
	if !known {
		return reason
	}
	return text
}

// short is a duration for people.
func short(d time.Duration) string {
	d = max(0, d)
	day := 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 2*day:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// lane is the terms of one holder, on a line of laneWidth.
type lane struct {
	Name, Rest string
	Bars       []bar
}

type bar struct {
	X, Width float64
	Kind     string // over, lasts or silent
	Title    string
}

const laneWidth = 1000

// lanes draws terms from the oldest beginning until now. A new process of a Pod has its Pod's lane.
func lanes(terms []Term, seen []Seen, now time.Time) (all []lane, begin time.Time) {
	terms = terms[:min(len(terms), mostRows)]
	now = now.Truncate(time.Second)
	begin = now
	for _, t := range terms {
		if t.Start.Before(begin) {
			begin = t.Start
		}
	}
	span := max(now.Sub(begin), time.Second)
	at := func(t time.Time) float64 {
		return laneWidth * min(1, max(0, float64(t.Sub(begin))/float64(span)))
	}
	for _, t := range slices.Backward(terms) {
		end := t.End
		if t.unclear() {
			end = t.Renewed
		}
		const least = 4
		b := bar{
			X: min(at(t.Start), laneWidth-least), Kind: "over",
			Title: fmt.Sprintf("epoch %s, %s: %s", t.Epoch, short(end.Sub(t.Start)), because(t)),
		}
		if t.End.IsZero() {
			end = begin.Add(span)
			b.Kind, b.Title = "lasts", fmt.Sprintf("epoch %s, since %s UTC", t.Epoch, clock(t.Start))
			if _, known := silent(seen, t.Holder); known {
				b.Kind = "silent"
				b.Title += ": its holder does not answer"
			}
		}
		b.Width = max(least, at(end)-b.X)
		name, rest := split(t.Holder)
		i := slices.IndexFunc(all, func(l lane) bool { return l.Name == name })
		if i < 0 {
			i = len(all)
			all = append(all, lane{Name: name, Rest: rest})
		}
		all[i].Bars = append(all[i].Bars, b)
	}
	slices.SortFunc(all, func(a, b lane) int { return strings.Compare(a.Name, b.Name) })
	return all, begin
}
