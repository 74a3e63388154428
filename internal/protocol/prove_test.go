package protocol

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What was there right before the record, and how long is waited then.
func TestProved(t *testing.T) {
	free := fenced("a_1", termA, "50", "101", released)
	first := fenced("", "", "", "101", untouched)
	for name, test := range map[string]struct {
		record, before Record
		looked         bool
		wait           time.Duration
	}{
		"released":                               {free, fenced("a_1", termA, "50", "100"), true, 0},
		"released, edited before":                {free, fenced("a_1", termA, "50", "100", renewed(9), duration(60)), true, 0},
		"put back over its own renewal":          {free, fenced("a_1", termA, "50", "99"), true, L},
		"put back over another term":             {again(free, "120"), fenced("b_1", termB, "110", "119"), true, L},
		"put back over another of its terms":     {free, fenced("a_1", termB, "110", "100"), true, L},
		"put back over a release":                {again(free, "120"), free, true, L},
		"put back over nothing":                  {free, Record{}, true, L},
		"put back over a vacant one":             {free, vacant(100), true, L},
		"on another UID":                         {free, fenced("a_1", termA, "50", "100", uid("u9")), true, L},
		"410":                                    {free, Record{}, false, L},
		"410, with an answer":                    {free, fenced("a_1", termA, "50", "100"), false, L},
		"never there before":                     {first, Record{}, true, 0},
		"replaced with the manifest":             {first, fenced("a_1", termA, "50", "100", uid("u2")), true, L},
		"replaced a release":                     {first, fenced("a_1", termA, "50", "100", uid("u2"), released), true, L},
		"replaced a vacant one":                  {first, vacant(100), true, L},
		"edited, too often":                      {first, again(first, "100"), true, L},
		"never held, 410":                        {first, Record{}, false, L},
		"held: nothing proves that it is not":    {fenced("a_1", termA, "50", "101"), Record{}, true, L},
		"vacant: the one before may be deleted":  {vacant(101), Record{}, true, L},
		"cleared by hand":                        {fenced("a_1", termA, "50", "101", holder("")), fenced("a_1", termA, "50", "100"), true, L},
		"client-go's release, first thing seen":  {fenced("cg", "", "", "101", releasedByClientGo), fenced("cg", "", "", "100"), true, L},
		"missing":                                {Record{}, Record{}, true, L},
		"a mark over a version that is no match": {fenced("a_1", termA, "50", "101", release("x")), fenced("a_1", termA, "50", "100"), true, L},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := shown(View{}, false, test.record)
				wanted := v.decide(Clock{}.Now(), true).Action
				require.Equal(t, test.record.Released() || test.record.untouched(), wanted == Prove, wanted)
				v = v.Proved(v.Record(), test.before, test.looked)
				require.NotEqual(t, Prove, v.decide(Clock{}.Now(), true).Action, "asked once")
				require.Equal(t, test.wait, max(0, v.FreeAt().Sub(Clock{}.Now())))
			})
		})
	}
}

// A proof is of the record that it was asked for.
func TestProofComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was, free := fenced("a_1", termA, "50", "100"), fenced("a_1", termA, "50", "101", released)
		v := shown(View{}, false, free)
		for _, next := range []Record{
			fenced("b_1", termB, "102", "102", renewed(9)), again(free, "102"), edited(free, "102"), again(fenced("a_1", termA, "50", "101", release("100"), uid("u9")), "101"),
		} {
			time.Sleep(time.Second)
			v := v.Observe(look(next, "110"), L)
			v = v.Proved(free, was, true)
			require.Equal(t, L, v.FreeAt().Sub(Clock{}.Now()))
		}
		labelled := v.Observe(event(edited(free, "102"), "102", "101"), L)
		require.Equal(t, Prove, labelled.decide(Clock{}.Now(), true).Action, "it is still to be proven")
		waits(t, labelled, L-4*time.Second)

		v = v.Proved(free, was, true)
		require.Equal(t, v, v.Proved(free, Record{}, false), "and is not taken back")
	})
}

// A proof clears what the record itself says, not what something else covered up.
func TestProofDoesNotEndOtherDebts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// b_1 knew nothing of a_1, whose Lease was replaced under it.
		v := shown(View{}, true, fenced("a_1", termA, "50", "100"), fenced("", "", "", "101", shipped))
		time.Sleep(time.Second)
		r := fenced("b_1", termB, "101", "103", renewed(9), release("102"))
		v = v.Observe(look(r, "103"), L)
		waits(t, v, L)
		waits(t, v.Proved(r, fenced("b_1", termB, "101", "102", renewed(8)), true), L-time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		// The very term that was covered up releases: its own word ends the wait.
		held := fenced("a_1", termA, "50", "100")
		v := shown(View{}, false, held, edited(held, "101"))
		require.Equal(t, L, v.FreeAt().Sub(Clock{}.Now()))
		r := fenced("a_1", termA, "50", "102", renewed(9), release("101"))
		waits(t, v.Observe(event(r, "102", "101"), L), 0)
		time.Sleep(time.Second)
		v = v.Observe(look(r, "102"), L)
		waits(t, v.Proved(r, edited(held, "101"), true), 0)
	})
	synctest.Test(t, func(t *testing.T) {
		// Two may be covered up: then the release of one of them ends nothing.
		held := fenced("a_1", termA, "50", "100")
		v := shown(View{}, true, held, fenced("a_1", termA, "50", "101", holder("")), fenced("b_1", termB, "60", "102", renewed(9)), fenced("b_1", termB, "60", "103", renewed(9), holder("x")),
			fenced("b_1", termB, "60", "104", renewed(9)), fenced("b_1", termB, "60", "105", renewed(10), release("104")))
		waits(t, v, L-time.Second) // from when b_1's was edited back
	})
}

// Rule C5: a released record seen again across a gap is proven again or not at all.
func TestReleaseAcrossGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, free := fenced("a_1", termA, "50", "100"), fenced("a_1", termA, "50", "101", released)
		v := shown(View{}, true, held, free)
		time.Sleep(time.Second)
		require.Equal(t, Acquire, v.Observe(look(free, "150"), L).decide(Clock{}.Now(), true).Action, "the same version")
		v = v.Observe(look(edited(free, "140"), "150"), L)
		require.Equal(t, Prove, v.decide(Clock{}.Now(), true).Action)
		waits(t, v.Proved(v.Record(), free, true), L)
	})
}
