package statuspage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown is a part of the page.
func shown(t *testing.T, v *view, part string) string {
	t.Helper()
	parts, err := v.parts(templates())
	require.NoError(t, err)
	return parts[part]
}

// What the headline says of replicas.
func TestSummary(t *testing.T) {
	status := func(name, state string, change ...func(*Status)) Seen {
		s := Status{Replica: Replica{
			At: at(60), Identity: name + "_1", State: state, Since: at(30),
			Holder: Holder{Identity: "a_1", Self: name == "a", Epoch: "9", Since: at(30)},
		}, Timings: Timings{LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10}}
		if state == "active" || state == "draining" {
			s.ValidForSeconds = 8
			s.Holder.Identity, s.Holder.Self = s.Identity, true
		}
		for _, f := range change {
			f(&s)
		}
		return Seen{URL: "http://" + name, Status: s}
	}
	silent := func(s Seen) Seen { s.Error = "no answer within 1 s"; return s }
	released := func(s *Status) {
		s.Holder = Holder{}
		s.History = []Term{{Holder: "a_1", Epoch: "9", Start: at(0), End: at(55), Reason: "released"}}
	}
	for name, c := range map[string]struct {
		seen        []Seen
		level, says string
		detail      string
		since       time.Time
	}{
		"no replicas": {nil, bad, "No replica answers", "", time.Time{}},
		"one active":  {[]Seen{status("a", "active"), status("b", "standby")}, ok, "a is active", "", at(30)},
		"two active": {
			[]Seen{status("a", "active"), status("b", "active", func(s *Status) { s.Holder.Epoch = "10" })},
			bad, "2 replicas say that they are active", "Their clocks may differ. The guards refuse the writes of the lower epoch.", time.Time{},
		},
		"one active that has two URLs": {[]Seen{status("a", "active"), status("a", "active"), status("b", "standby")}, ok, "a is active", "", at(30)},
		"a handover between two looks": {
			[]Seen{status("a", "active", func(s *Status) { s.At = at(29) }), status("b", "active", func(s *Status) { s.Holder.Epoch = "10" })},
			ok, "b is active", "", at(30),
		},
		"draining": {[]Seen{status("a", "draining")}, warn, "a is draining: its work has to return first", "", at(30)},
		"stuck": {
			[]Seen{status("a", "draining", func(s *Status) { s.Overrun = true })},
			bad, "a is stuck: its work does not return", "", at(30),
		},
		"a guard is down": {
			[]Seen{status("a", "active", func(s *Status) { s.Guards = []Guard{{Kind: "unavailable", Epoch: "9"}} })},
			warn, "a is active", "A guard did not accept its token: see below.", at(30),
		},
		"a guard was down in an earlier term": {
			[]Seen{status("a", "active", func(s *Status) { s.Guards = []Guard{{Kind: "unavailable", Epoch: "8"}} })},
			ok, "a is active", "", at(30),
		},
		"another program": {
			[]Seen{status("b", "standby", func(s *Status) { s.OtherProgram = "mailer" })}, bad, "a holds the Lease, of another program",
			"mailer shares the Lease by mistake: give one of the two another name.", at(30),
		},
		"a poisoned mark": {
			[]Seen{status("c", "standby", released), status("b", "standby", released, func(s *Status) {
				s.Guards = []Guard{{Accepted: true, Epoch: "9"}, {Index: 1, Kind: "stale", Mark: "1000000", Epoch: "9"}}
			})},
			bad, "Nobody is active", "Guard 1 has seen epoch 1000000, so it refuses the last term, epoch 9.", at(55),
		},
		"a poisoned mark, on the page of a replica that met it earlier": {
			[]Seen{status("c", "standby", released, func(s *Status) { s.Guards = []Guard{{Kind: "stale", Mark: "1000000", Epoch: "7"}} })},
			bad, "Nobody is active", "Guard 0 has seen epoch 1000000, so it refuses the last term, epoch 9.", at(55),
		},
		"a store that is down": {
			[]Seen{status("b", "standby", released, func(s *Status) { s.Guards = []Guard{{Kind: "unavailable", Epoch: "9"}} })},
			bad, "Nobody is active", "Guard 0 did not accept the last term, epoch 9: unavailable.", at(55),
		},
		"a guard refused a term before the last": {
			[]Seen{status("b", "standby", released, func(s *Status) { s.Guards = []Guard{{Kind: "stale", Mark: "9", Epoch: "8"}} })},
			bad, "Nobody is active", "", at(55),
		},
		"a standby's own page": {[]Seen{status("b", "standby")}, "", "a holds the Lease", "This page has answers only from b. It cannot tell whether a works.", at(30)},
		"the active is silent": {
			[]Seen{silent(status("a", "active")), status("b", "standby", func(s *Status) { s.Lease.RenewTime = at(58) })},
			bad, "a holds the Lease, but does not answer",
			"It renewed the Lease last at 12:00:58 UTC.", at(30),
		},
		"all are silent": {[]Seen{silent(status("a", "active"))}, bad, "No replica answers", "", time.Time{}},
		"released":       {[]Seen{status("b", "standby", released)}, bad, "Nobody is active", "", at(55)},
		"missing": {
			[]Seen{status("b", "standby", released, func(s *Status) { s.LeaseMissing = true })},
			bad, "Nobody is active: the Lease is missing", "", at(55),
		},
		"dead": {
			[]Seen{status("b", "standby", func(s *Status) { s.Holder.Dead = true })}, bad, "Nobody is active: a is dead", "", time.Time{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := newView(c.seen, at(60)).Summary
			require.Equal(t, []string{c.level, c.says, c.detail}, []string{got.Level, got.Says, got.Detail})
			require.Equal(t, c.since, got.Since)
		})
	}
}

// standby answers, and sees that a holds the Lease.
func standby(change ...func(*Status)) Seen {
	s := Status{
		Replica: Replica{At: at(60), Identity: "b_1", State: "standby", Holder: Holder{Identity: "a_1", Epoch: "9", Since: at(29)}},
		Timings: Timings{LeaseDurationSeconds: 15}, Lease: Lease{RenewTime: at(58), DurationSeconds: 20},
	}
	for _, f := range change {
		f(&s)
	}
	return Seen{Status: s}
}

// Of a holder that does not answer, the page says when it last did, and when a standby takes over.
func TestSummaryOfSilentHolder(t *testing.T) {
	holder := Seen{Error: "it cannot be reached", Status: Status{Replica: Replica{Identity: "a_1", At: at(57)}}}
	v := newView([]Seen{holder, standby()}, at(60))
	require.Equal(t, at(57), v.Summary.Answer)
	require.Equal(t, at(78), v.Summary.Due, "the longer of two lease durations counts")
	text := shown(t, v, "summary")
	require.Regexp(t, `epoch <b>9</b>, began <time [^>]*data-age="ago">at 12:00:29 UTC</time>. Its last answer came <time [^>]*>at 12:00:57 UTC</time>\.`, text)
	require.Contains(t, text, `data-age="due">at about 12:01:18 UTC</time>. Between the end of the old term and the takeover, nobody is active.`)
	require.Contains(t, text, ">What to do</a>")

	unread := standby(func(s *Status) { s.Lease = Lease{} })
	require.NotContains(t, shown(t, newView([]Seen{holder, unread}, at(60)), "summary"), "takeover")
	holder.Error = "" // by another URL it answers
	again := Seen{Error: "it cannot be reached", Status: holder.Status}
	require.Zero(t, newView([]Seen{again, holder, standby()}, at(60)).Summary.Answer)
}

// The headline and the table say the same of when a term began.
func TestSummaryHasTheTimeOfTheTable(t *testing.T) {
	term := func(change ...func(*Term)) func(*Status) {
		lasting := Term{Holder: "a_1", Epoch: "9", Start: at(30)}
		for _, f := range change {
			f(&lasting)
		}
		return func(s *Status) { s.History = []Term{lasting} }
	}
	v := newView([]Seen{standby(term())}, at(60))
	require.Equal(t, at(30), v.Summary.Since)
	require.Contains(t, shown(t, v, "terms"), `data-age="so far">since 12:00:30 UTC</time>`)
	require.NotContains(t, shown(t, v, "summary"), "What to do")
	for name, other := range map[string]func(*Term){
		"seen late": func(t *Term) { t.Joined = true }, "of another": func(t *Term) { t.Holder = "c_1" },
		"over": func(t *Term) { t.End = at(40) },
	} {
		require.Equal(t, at(29), newView([]Seen{standby(term(other))}, at(60)).Summary.Since, name)
	}
}

// A failure is told of for five minutes, also when all is well again.
func TestLastFailure(t *testing.T) {
	terms := rows([]Term{
		{Epoch: "9", Holder: "a_1", Start: at(70)},
		{Epoch: "8", Holder: "b_1", Start: at(60), End: at(70), Reason: "released"},
		{Epoch: "7", Holder: "c_1", Start: at(30), End: at(60), Reason: "expired"},
		{Epoch: "6", Holder: "b_1", Start: at(0), End: at(30), Reason: "panicked"},
	})
	require.Equal(t, "7", failure(terms, at(75)).Epoch)
	require.Nil(t, failure(terms[:2], at(75)))
	require.Nil(t, failure(terms, at(60).Add(late)))
	v := &view{Failure: failure(terms, at(60).Add(late-time.Second))}
	require.Regexp(t, `The last failure was <time [^>]*>at 12:01:00 UTC</time>: c, epoch 7, not renewed in time\.`, shown(t, v, "summary"))
}
