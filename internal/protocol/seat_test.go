package protocol

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
)

// Rules S1 to S3: each row is what is seen after our own record, by one watch unless it
// is seen by a List, and whether the seat may be taken back then.
func TestSeat(t *testing.T) {
	own := fenced("me", termA, "101", "101")
	free := func(version string, edits ...func(*coordv1.Lease)) Record {
		return fenced("me", termA, "101", version, append(edits, holder(""))...)
	}
	renewal := fenced("me", termA, "101", "102", renewed(3))
	type step struct {
		r      Record
		listed bool
	}
	in := func(seen ...Record) (steps []step) {
		for _, r := range seen {
			steps = append(steps, step{r: r})
		}
		return steps
	}
	for name, test := range map[string]struct {
		seen []step
		want Action // Wait: no seat
	}{
		"cleared":                                 {in(free("102")), Acquire},
		"renewed, cleared":                        {in(renewal, free("103")), Acquire},
		"renewed, seen by a List, cleared":        {append([]step{{renewal, true}}, in(free("103"))...), Acquire},
		"replaced with the manifest":              {in(fenced("", "", "", "102", shipped)), Acquire},
		"put back as vacant":                      {in(again(vacant(99), "102")), Acquire},
		"cleared, edited, cleared":                {in(free("102"), edited(free("103"), "103"), free("104")), Acquire},
		"cleared, put back":                       {in(free("102"), again(own, "103")), Acquire},
		"cleared, put back, cleared":              {in(free("102"), again(own, "103"), free("104")), Acquire},
		"annotations removed, cleared":            {in(fenced("me", "", "", "102"), free("103")), Acquire},
		"deleted":                                 {in(Record{}), Create},
		"deleted, vacant":                         {in(Record{}, vacant(103)), Acquire},
		"deleted, shipped anew":                   {in(Record{}, fenced("", "", "", "103", untouched)), Acquire},
		"cleared, seen again by a List":           {[]step{{free("102"), false}, {free("102"), true}}, Acquire},
		"still held":                              {in(renewal), Wait},
		"cleared, across a gap":                   {[]step{{free("102"), true}}, Wait},
		"cleared, edited across a gap":            {[]step{{free("102"), false}, {edited(free("103"), "103"), true}}, Wait},
		"deleted, vacant across a gap":            {[]step{{Record{}, false}, {vacant(103), true}}, Wait},
		"replaced across a gap":                   {[]step{{fenced("", "", "", "102", shipped), true}}, Wait},
		"another holder, cleared":                 {in(fenced("b_1", termB, "102", "102", renewed(9)), free("103")), Wait},
		"another holder by hand, cleared":         {in(fenced("me", termA, "101", "102", holder("x"), func(l *coordv1.Lease) { l.Annotations[lease.AnnotationTerm] = termB }), free("103")), Wait},
		"cleared, another holder, cleared":        {in(free("102"), fenced("b_1", termB, "103", "103", renewed(9)), free("104")), Wait},
		"client-go, cleared":                      {in(fenced("cg", "", "", "102", renewed(9)), free("103")), Wait},
		"another term of ours, cleared":           {in(fenced("me", termB, "102", "102", renewed(9)), free("103")), Acquire},
		"a release":                               {in(fenced("b_1", termB, "102", "102", renewed(9), release("101"))), Wait},
		"our own release":                         {in(fenced("me", termA, "101", "102", renewed(9), release("101"))), Wait},
		"cleared, a release put back":             {in(free("102"), fenced("b_1", termB, "102", "103", renewed(9), release("90"))), Wait},
		"on another UID, held as ours":            {in(Record{}, fenced("me", termA, "101", "103", uid("u3")), fenced("me", termA, "101", "104", uid("u3"), holder(""))), Wait},
		"deleted, taken by another, cleared":      {in(Record{}, fenced("b_1", termB, "103", "103", uid("u3")), fenced("b_1", termB, "103", "104", uid("u3"), holder(""))), Wait},
		"cleared, taken in a gap, cleared unseen": {[]step{{free("102"), false}, {free("104"), true}}, Wait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := shown(View{}, true, fenced("b_1", termB, "90", "100", released), own).Seated(termA)
				for _, s := range test.seen {
					time.Sleep(10 * time.Millisecond)
					v = shown(v, !s.listed, s.r)
				}
				now := Clock{}.Now()
				until := now.Add(8 * time.Second)
				require.False(t, v.decide(now, true).Seat, "before its work has returned")
				out := v.Vacated(until)
				d := out.decide(now, false)
				if test.want == Wait {
					require.False(t, d.Seat, "%v: %s", d.Action, d.Why)
					require.NotEqual(t, Acquire, d.Action)
					return
				}
				require.Equal(t, Decision{Action: test.want, Seat: true, Why: d.Why}, d)
				require.True(t, out.decide(until.Add(-1), false).Seat)
				require.False(t, out.decide(until, true).Seat, "its validity is over")
				require.Equal(t, Confirm, out.Doubt().decide(now, true).Action)
				require.False(t, v.Seated(termB).Vacated(Instant{}).decide(now, true).Seat)
			})
		})
	}
}

// One that never had a term has no seat; a new term's is its own.
func TestSeatIsOfTheLastTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := Clock{}.Now()
		v := shown(View{}, true, fenced("me", termA, "101", "101"), fenced("me", termA, "101", "102", holder("")))
		require.False(t, v.Vacated(now.Add(8*time.Second)).decide(Clock{}.Now(), true).Seat)

		v = shown(View{}, true, fenced("me", termA, "101", "101")).Seated(termA)
		v = shown(v, true, fenced("me", termA, "101", "102", holder(""))).Vacated(now.Add(8 * time.Second))
		require.True(t, v.decide(now, true).Seat)
		v = shown(v.Seated(termB), true, fenced("me", termB, "103", "103", renewed(9)))
		require.False(t, v.decide(now, true).Seat, "its work has not returned")
		v = shown(v, true, fenced("me", termB, "103", "104", holder("")))
		require.False(t, v.decide(now, true).Seat)
		require.True(t, v.Vacated(now.Add(8*time.Second)).decide(now, true).Seat)
	})
}
