package protocol

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// evident is what a holder publishes that knew the Lease in that version.
func evident(after string) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) {
		l.Annotations[lease.AnnotationEvidence] = l.Annotations[lease.AnnotationTerm] + " after " + after + " pod of " + *l.Spec.HolderIdentity
	}
}

// Rule P1: what an earlier term has published, or what is damaged, says nothing about the holder.
func TestEvidenceIsTheTermsOrNone(t *testing.T) {
	set := func(text string) func(*coordv1.Lease) {
		return func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEvidence] = text }
	}
	most := strings.Repeat("x", MaxEvidence)
	for name, test := range map[string]struct {
		record Record
		want   Published
	}{
		"published":                    {fenced("a_1", termA, "50", "100", evident("99")), Published{"pod of a_1", "99"}},
		"as long as may be":            {fenced("a_1", termA, "50", "100", set(termA+" after 99 "+most)), Published{most, "99"}},
		"too long":                     {fenced("a_1", termA, "50", "100", set(termA+" after 99 "+most+"x")), Published{}},
		"nothing":                      {fenced("a_1", termA, "50", "100"), Published{}},
		"of an earlier term":           {fenced("a_1", termA, "50", "100", set(termB+" after 99 pod")), Published{}},
		"left under another elector's": {fenced("a_1", termA, "50", "100", evident("99"), holder("z")), Published{}},
		"left on a released Lease":     {fenced("a_1", termA, "50", "100", evident("98"), released), Published{}},
		"without an identity":          {fenced("a_1", termA, "50", "100", set(termA+" after 99 ")), Published{}},
		"without a version":            {fenced("a_1", termA, "50", "100", set(termA+" after  pod")), Published{}},
		"cut off":                      {fenced("a_1", termA, "50", "100", set(termA+" after 99")), Published{}},
		"an edit":                      {fenced("a_1", termA, "50", "100", set("pod")), Published{}},
		"no Lease":                     {Record{}, Published{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := test.record.Evidence()
			require.Equal(t, test.want, got)
			require.Equal(t, test.want != Published{}, ok)
		})
	}
}

// bereaved is a candidate that has seen these records, each right after the one before, or with a
// gap before each. Then the holder's process dies.
func bereaved(inOneWatch bool, seen ...Record) *Candidate {
	c := NewCandidate(self(), nil, Clock{}.Now())
	c.view = shown(c.view, inOneWatch, seen...)
	return c
}

// Rules P3 and P4: the death of the holder is like its release. It ends the wait for the holder's
// own claim, if that is known to be the last claim.
func TestDeathOfTheHolder(t *testing.T) {
	taken := fenced("a_1", termA, "50", "100", evident("99"))
	kept := fenced("a_1", termA, "50", "101", evident("100"), renewed(3))
	kept2 := fenced("a_1", termA, "50", "103", evident("101"), renewed(5))
	other := fenced("b_1", termB, "102", "104", evident("103"), renewed(7))
	for name, test := range map[string]struct {
		seen       []Record
		shown, gap Action // when the holder seems dead: Trace shows whether its claim is the last
	}{
		"seen for the first time":              {[]Record{taken}, Trace, Trace},
		"renewed":                              {[]Record{taken, kept}, Confirm, Trace},
		"renewed again":                        {[]Record{taken, kept, kept2}, Confirm, Trace},
		"by two at once":                       {[]Record{taken, kept, fenced("a_1", termA, "50", "102", evident("100"), renewed(4))}, Confirm, Trace},
		"known before it took it":              {[]Record{fenced("b_1", termB, "40", "99", renewed(1)), taken}, Confirm, Trace},
		"published late":                       {[]Record{fenced("a_1", termA, "50", "100"), kept}, Confirm, Trace},
		"label edited":                         {[]Record{taken, kept, edited(kept, "102")}, Confirm, Wait},
		"taken over":                           {[]Record{taken, kept, kept2, other}, Confirm, Trace},
		"nothing published":                    {[]Record{taken, fenced("a_1", termA, "50", "101", renewed(3))}, Wait, Wait},
		"another elector's":                    {[]Record{taken, kept, fenced("z", termA, "50", "102", renewed(9), evident("101"), func(l *coordv1.Lease) { l.Annotations[lease.AnnotationHolder] = "a_1" })}, Wait, Wait},
		"put back over one that was not shown": {[]Record{kept2, again(kept, "110")}, Trace, Trace},
		"put back":                             {[]Record{taken, kept, kept2, other, again(kept2, "105")}, Wait, Wait},
		"put back and renewed":                 {[]Record{taken, kept, kept2, other, again(kept2, "105"), fenced("a_1", termA, "50", "106", evident("103"), renewed(6))}, Wait, Wait},
		"duration edited":                      {[]Record{taken, kept, fenced("a_1", termA, "50", "102", evident("100"), renewed(3), duration(2))}, Wait, Wait},
		"of another Lease":                     {[]Record{taken, fenced("b_1", termB, "102", "104", evident("103"), uid("u2"))}, Wait, Wait},
		"released":                             {[]Record{taken, kept, fenced("a_1", termA, "50", "102", release("101"))}, Acquire, Prove},
	} {
		t.Run(name, func(t *testing.T) {
			for _, way := range []struct {
				inOneWatch bool
				want       Action
			}{{true, test.shown}, {false, test.gap}} {
				synctest.Test(t, func(t *testing.T) {
					c := bereaved(way.inOneWatch, test.seen...)
					now := Clock{}.Now()
					last := test.seen[len(test.seen)-1]
					before := c.Next(now, true)
					require.NotEqual(t, Trace, before.Action, "nobody seems dead")
					require.Equal(t, before, c.Suspect("of another term").Next(now, true))
					c = c.Suspect(last.Term())
					got := c.Next(now, true)
					require.Equal(t, way.want, got.Action, "in one watch: %v", way.inOneWatch)
					if got.Action == Trace {
						lost := c.Traced(last, false)
						require.True(t, lost.Untraced())
						require.Equal(t, Wait, lost.Next(now, true).Action, "there may have been another one")
						require.Equal(t, c, c.Traced(again(last, "999"), true), "it has changed since")
						c = c.Traced(last, true)
						got = c.Next(now, true)
					}
					if got.Action != Confirm {
						return
					}
					require.Equal(t, Wait, c.Died("of another term", now).Suspect("").Next(now, true).Action)
					c.fresh = true
					require.Equal(t, Ask, c.Next(now, true).Action, "P5: once the store was asked")
					c = c.Died(last.Term(), now)
					d := c.Next(now, true)
					require.Equal(t, Acquire, d.Action)
					require.True(t, d.Dead)
				})
			}
		})
	}
}

// A put-back hides whoever held the Lease, and for as long as that one may last nothing helps. The
// release of the term that it shows does not end that wait either (rule C3).
func TestDeathEndsNoOtherWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := fenced("a_1", termA, "50", "100", evident("99"))
		other := fenced("b_1", termB, "102", "102", evident("100"), renewed(7))
		c := bereaved(true, taken, other, again(taken, "103")).Suspect(termA)
		c = c.Traced(c.view.Record(), true).Died(termA, Clock{}.Now()) // whatever a look says
		waits(t, c.view, L)
		time.Sleep(time.Second)
		d := c.Next(Clock{}.Now(), true)
		require.Equal(t, Wait, d.Action)
		c.view = c.view.Observe(event(fenced("a_1", termA, "50", "104", evident("103"), renewed(9)), "104", "103"), L)
		waits(t, c.view, L)
	})
}

// A late renewal of the dead is no news: its process is as dead as before. But one that lands on
// what was put back is.
func TestRenewalOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := fenced("a_1", termA, "50", "100", evident("99"))
		late := fenced("a_1", termA, "50", "101", evident("100"), renewed(3))
		c := bereaved(true, taken).Suspect(termA).Traced(taken, true).Died(termA, Clock{}.Now())
		now := Clock{}.Now()
		require.Equal(t, Confirm, c.Next(now, true).Action)
		c = c.Observe(event(late, "101", "100"), now)
		waits(t, c.view, 0)
		gap := c.Observe(look(fenced("a_1", termA, "50", "110", evident("101"), renewed(4)), "110"), now)
		require.Equal(t, Trace, gap.Next(now, true).Action)
		require.Equal(t, Wait, gap.Traced(gap.view.Record(), false).Next(now, true).Action)
		waits(t, gap.Traced(gap.view.Record(), true).view, 0)
	})
}

// A look that could not show the last claim is not made again for each renewal after it. It is made
// again where something may have been missed.
func TestNoLookForEachRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := Clock{}.Now()
		taken := fenced("a_1", termA, "50", "100", evident("70"))
		c := bereaved(true, taken).Suspect(termA)
		require.Equal(t, Trace, c.Next(now, true).Action)
		c = c.Traced(taken, false)
		for _, test := range []struct {
			o    Observation
			want Action
		}{
			{event(fenced("a_1", termA, "50", "101", evident("70"), renewed(3)), "101", "100"), Wait},
			{look(fenced("a_1", termA, "50", "110", evident("70"), renewed(3)), "110"), Trace},
			{event(fenced("a_1", termA, "50", "101", evident("100"), renewed(3)), "101", "100"), Confirm},
		} {
			require.Equal(t, test.want, c.Observe(test.o, now).Next(now, true).Action)
		}
	})
}

// Rule P6: requests of the dead may still be on their way.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := fenced("a_1", termA, "50", "100", evident("99"))
		c := bereaved(true, taken).Suspect(termA).Traced(taken, true)
		settling := *self()
		settling.Settle = 4 * time.Second
		c.self = &settling
		c = c.Died(termA, Clock{}.Now())
		waits(t, c.view, 4*time.Second)
		time.Sleep(3 * time.Second)
		c = c.Observe(event(fenced("a_1", termA, "50", "101", evident("100"), renewed(3)), "101", "100"), Clock{}.Now())
		waits(t, c.view, time.Second)
	})
}

// Rule P2: what a term publishes is what it knew while it was valid.
func TestWhatATermPublishes(t *testing.T) {
	after := func(s *script) string { return s.t.claim.Published.After }
	s := acquireIn(t)
	sent := s.t.claim
	sent.Sent, sent.Record = s.start, s.record(101)
	s.t = s.t.Identified("pod of a")
	require.True(t, s.answer(Answer{ID: 1, Claim: sent}).Prolonged)
	require.Equal(t, "101", after(s))
	require.Equal(t, "pod of a", s.t.claim.Published.Identity, "also if the acquire was sent without it")
	s.due(WriteRenew, 2)
	s.acked(2, 2, 102)
	require.Equal(t, "102", after(s))
	s.at(3)
	edit := edited(s.t.claim.Record, "103")
	s.t, _ = s.t.Observe(event(edit, "103", "102"), s.now)
	require.Equal(t, "103", after(s))

	over := *s // since 12 s
	over.at(12)
	put := edited(edit, "120")
	over.t, _ = over.t.Observe(event(put, "120", "119"), over.now)
	require.Equal(t, "120", over.t.claim.Record.ResourceVersion())
	require.Equal(t, "103", after(&over), "another may have held the Lease by then")

	next := (&Lock{Options: Options{Identity: "a_1", Timing: self().Timing}}).renewed(s.t.claim)
	require.Equal(t, termOfA+" after 103 pod of a", next.Annotations[lease.AnnotationEvidence])
	ops := renewal(next)
	require.Equal(t, next.Annotations[lease.AnnotationEvidence], ops[len(ops)-1].Value)
}
