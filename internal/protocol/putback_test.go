package protocol

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// again is r's body in another version: an edit that puts it back.
func again(r Record, version string) Record {
	l := r.Lease()
	l.ResourceVersion = version
	return recordOf(l)
}

// Rule C1: what one saw before an edit put it back may lie over a term that was not
// shown. b_1 takes over at 110, unseen, and the record at 100 is put back at 120.
func TestPutBackAcrossAGap(t *testing.T) {
	held := fenced("a_1", termA, "50", "99")
	for name, before := range map[string]Record{
		"as shipped":       fenced("", "", "", "100", untouched),
		"vacant":           vacant(100),
		"held and run out": fenced("a_1", termA, "50", "100"),
		"cleared by hand":  fenced("a_1", termA, "50", "100", holder("")),
		"released":         fenced("a_1", termA, "50", "100", release("99")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := View{}
				if before.Released() {
					v = shown(v, true, held)
				}
				v = shown(v, true, before).Proved(before, Record{}, true)
				time.Sleep(L + time.Second)
				require.Equal(t, Acquire, v.decide(Clock{}.Now(), true).Action, "it would have")
				same := v.Observe(look(before, "105"), L)
				require.Equal(t, Acquire, same.decide(Clock{}.Now(), true).Action, "the same version is the same claim, across any gap")

				back := again(before, "120")
				gap := v.Observe(look(back, "121"), L)
				waits(t, gap, L)
				time.Sleep(3 * time.Second)
				waits(t, gap.Observe(look(back, "130"), L), L-3*time.Second)
				waits(t, gap.Observe(look(again(before, "131"), "131"), L), L)

				// Before tells a release from its copy.
				over := fenced("b_1", termB, "110", "110", renewed(9))
				gap = v.Observe(look(back, "121"), L)
				waits(t, gap.Proved(back, over, true), L)
				waits(t, gap.Proved(back, before, true), L)
			})
		})
	}
}

// In one unbroken watch an edit of labels is known to be no more than that.
func TestContiguousEditsAreHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := shown(View{}, true, fenced("a_1", termA, "50", "100"))
		for i := range 10 {
			time.Sleep(time.Second)
			v = shown(v, true, edited(v.Record(), strconv.Itoa(101+3*i)))
		}
		waits(t, v, L-10*time.Second)
		// An event of another watch, and one that lost its place.
		waits(t, v.Observe(event(edited(v.Record(), "200"), "200", "150"), L), L)
		waits(t, v.Observe(event(edited(v.Record(), "200"), "200", ""), L), L)
	})
}

// A put-back in one unbroken watch is an edit like others.
func TestPutBackInOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := fenced("a_1", termA, "50", "100")
		free := fenced("a_1", termA, "50", "101", released)
		other := fenced("b_1", termB, "102", "102", renewed(9))
		waits(t, shown(View{}, true, held, free, other, again(free, "103")), L)
		waits(t, shown(View{}, true, held, free, other, again(held, "103")), L)
		waits(t, shown(View{}, true, held, free, other, again(held, "103"), again(free, "104")), L)
		waits(t, shown(View{}, true, held, again(held, "103"), again(free, "104")), L)
		// Nor does it count that the release was once made over what was seen last.
		waits(t, shown(View{}, true, held).Observe(event(again(free, "120"), "120", "119"), L), L)
	})
}

// client-go's release carries no mark: a copy of one looks the same.
func TestClientGosReleasePutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := fenced("cg1", "", "", "99", releasedByClientGo)
		v := shown(View{}, true, free)
		for i := range 16 {
			v = shown(v, true, fenced("cg2", "", "", strconv.Itoa(100+i), renewed(1000+i)))
			time.Sleep(time.Second)
		}
		waits(t, shown(v, true, again(free, "120")), L)
	})
}

// Rule W5: whoever renews moves renewTime, so a standby sees it.
func TestRenewalIsSeenByItsTimeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := shown(View{}, true, fenced("a_1", termA, "50", "100"))
		for i := range 5 {
			time.Sleep(10 * time.Second)
			v = shown(v, i%2 == 0, fenced("a_1", termA, "50", strconv.Itoa(101+i), renewed(3+i)))
			waits(t, v, L)
		}
		// A term's own time set back by its clock is a renewal too.
		time.Sleep(10 * time.Second)
		waits(t, shown(v, true, fenced("a_1", termA, "50", "110", renewed(1))), L)
	})
}

// Rule C8: on another UID nothing is believed by one who knew the former.
func TestAnotherUIDProvesNothing(t *testing.T) {
	held := fenced("a_1", termA, "50", "100", duration(60))
	for name, test := range map[string]struct {
		seen        []Record
		gap, proven time.Duration
	}{
		"takeover":              {[]Record{held, fenced("b_1", termB, "101", "102", uid("u2"), renewed(9))}, time.Minute, time.Minute},
		"takeover and release":  {[]Record{held, fenced("b_1", termB, "101", "102", uid("u2"), renewed(9)), fenced("b_1", termB, "101", "103", uid("u2"), renewed(10), release("102"))}, time.Minute, time.Minute - time.Second},
		"release alone":         {[]Record{held, fenced("b_1", termB, "101", "103", uid("u2"), renewed(10), release("102"))}, time.Minute, time.Minute},
		"release of the former": {[]Record{held, fenced("a_1", termA, "50", "101", uid("u2"), release("100"))}, time.Minute, time.Minute},
		"renewal":               {[]Record{held, fenced("a_1", termA, "50", "101", uid("u2"), renewed(9))}, time.Minute, time.Minute},
		"twice":                 {[]Record{held, fenced("b_1", termB, "101", "102", uid("u2"), renewed(9)), fenced("c_1", termB, "103", "104", uid("u3"), renewed(9))}, time.Minute, time.Minute},
		"as shipped":            {[]Record{held, fenced("", "", "", "102", untouched)}, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			for _, inOneWatch := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					v := shown(View{}, inOneWatch, test.seen...)
					waits(t, v, map[bool]time.Duration{true: test.proven, false: test.gap}[inOneWatch])
					if r := v.Record(); r.Released() {
						before := test.seen[len(test.seen)-2]
						waits(t, v.Proved(r, before, true), test.proven)
					}
				})
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		v := shown(View{}, true, fenced("b_1", termB, "101", "102", uid("u2")), fenced("b_1", termB, "101", "103", uid("u2"), release("102")))
		waits(t, v, 0) // to one who never knew the former it is the only one
	})
}
