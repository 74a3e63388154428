package statuspage

import (
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
	Failure  *row // of late
	Lanes    []lane
	Begin    time.Time // where lanes begin
	Last     Seen      // the newest answer
}

// card is one replica.
type card struct {
	Seen
	Name, Rest string // of its identity
	State      string
	Level      string
	Until      time.Time // when its term ends unless renewed; zero without a term
	Left, Full float64   // seconds of validity: now, and right after a renewal
	Notes      []note
}

const (
	ok   = "ok"
	warn = "warn"
	bad  = "bad"
	// quiet is for what is neither right nor wrong.
	quiet = "quiet"
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
	v.Terms = rows(terms)
	v.Failure = failure(v.Terms, now)
	v.Lanes, v.Begin = lanes(terms, seen, now)
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
		c.Until = s.Status.At.Add(left).Round(100 * time.Millisecond)
		c.Left = max(0, c.Until.Sub(now).Seconds())
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
