package protocol

import (
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
)

// Rule T4: a duration is believed up to what an elector wrote, at first sight up to
// the longest that one may.
func TestDurationsWrittenByHand(t *testing.T) {
	const hour = time.Hour
	decades := duration(math.MaxInt32) // 68 years
	held := fenced("a_1", termA, "50", "100")
	long := fenced("a_1", termA, "50", "100", duration(60))
	for name, test := range map[string]struct {
		seen       []Record
		gap, watch time.Duration
	}{
		"first look":         {[]Record{fenced("a_1", termA, "50", "100", decades)}, hour, hour},
		"first look, nobody": {[]Record{fenced("", "", "", "100", holder(""), decades)}, hour, hour},
		"first look, without a time: no elector's":      {[]Record{fenced("", "", "", "100", shipped, duration(3600))}, hour, hour},
		"first look, without a time, then deleted":      {[]Record{fenced("", "", "", "100", shipped, duration(3600)), {}}, L, L},
		"first look, then renewed":                      {[]Record{fenced("a_1", termA, "50", "100", decades), fenced("a_1", termA, "50", "101", renewed(9))}, hour, L},
		"first look, then released":                     {[]Record{fenced("a_1", termA, "50", "100", decades), fenced("a_1", termA, "50", "101", renewed(9), released)}, hour, 0},
		"an hour is what an elector may want":           {[]Record{fenced("a_1", termA, "50", "100", duration(3600))}, hour, hour},
		"known":                                         {[]Record{held, fenced("a_1", termA, "50", "101", decades)}, L, L},
		"known, a longer one":                           {[]Record{held, fenced("a_1", termA, "50", "101", duration(60))}, L, L},
		"known, with a holder":                          {[]Record{held, fenced("a_1", termA, "50", "101", decades, holder("x"))}, L, L},
		"known, with a time":                            {[]Record{held, fenced("a_1", termA, "50", "101", decades, renewed(77))}, hour, hour},
		"known, renewed":                                {[]Record{held, fenced("a_1", termA, "50", "101", decades), fenced("a_1", termA, "50", "102", renewed(9))}, L, L},
		"known, set right":                              {[]Record{held, fenced("a_1", termA, "50", "101", decades), fenced("a_1", termA, "50", "102")}, L, L},
		"known, deleted":                                {[]Record{held, fenced("a_1", termA, "50", "101", decades), {}}, L, L},
		"known, twice":                                  {[]Record{held, fenced("a_1", termA, "50", "101", decades), fenced("a_1", termA, "50", "102", decades, holder(""))}, L, L},
		"released, with decades":                        {[]Record{held, fenced("a_1", termA, "50", "101", released), fenced("a_1", termA, "50", "102", release("100"), decades)}, L, L},
		"a longer one's deleted":                        {[]Record{long, {}}, time.Minute, time.Minute},
		"a longer one's cleared":                        {[]Record{long, fenced("a_1", termA, "50", "101", holder(""))}, time.Minute, time.Minute},
		"a longer one's shortened":                      {[]Record{long, fenced("a_1", termA, "50", "101", duration(2))}, time.Minute, time.Minute},
		"a longer one's shortened and fenced":           {[]Record{long, fenced("a_1", termA, "900", "101", duration(2))}, time.Minute, time.Minute},
		"a longer one's renewed, then shortened unseen": {[]Record{long, fenced("a_1", termA, "50", "102", renewed(9), duration(2))}, time.Minute, time.Minute},
		"a longer one's taken over":                     {[]Record{long, fenced("b_1", termB, "101", "101", renewed(9))}, L, L},
		"none written":                                  {[]Record{held, fenced("a_1", termA, "50", "101", func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = nil })}, L, L},
	} {
		t.Run(name, func(t *testing.T) {
			for inOneWatch, wait := range map[bool]time.Duration{false: test.gap, true: test.watch} {
				synctest.Test(t, func(t *testing.T) {
					v := shown(View{}, inOneWatch, test.seen...)
					v = v.Proved(v.Record(), Record{}, false)
					require.Equal(t, wait, max(0, v.FreeAt().Sub(Clock{}.Now())))
				})
			}
		})
	}
}

// Rule E6: an epoch that only a hand can have written is not remembered, so that it
// can be taken back; and it proves no more than another edit.
func TestEpochsWrittenByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := fenced("a_1", termA, "50", "100")
		v := shown(View{}, true, held, fenced("a_1", termA, "9223372036854775806", "101"))
		require.EqualValues(t, 50, v.Epoch())
		v = shown(v, true, again(held, "102"))
		require.EqualValues(t, 50, v.Epoch())
		waits(t, v, L-time.Second) // the claim never changed
		v = shown(v, true, fenced("a_1", termA, strconv.Itoa(103+1<<53+1), "103"))
		require.EqualValues(t, 50, v.Epoch())
		v = shown(v, true, fenced("a_1", termA, strconv.Itoa(104+1<<53), "104"))
		require.EqualValues(t, 104+1<<53, v.Epoch(), "the greatest that is believed")
	})
}

// What an edit may have covered up is waited for as long as was owed then, whatever
// is edited later.
func TestSecondEditShortensNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := shown(View{}, true,
			fenced("a_1", termA, "50", "100", duration(60)),
			fenced("a_1", termA, "50", "101", duration(60), holder("")), // a_1 may be at work for a minute
			fenced("b_1", termB, "102", "102", renewed(9)),              // one that knew nothing
			fenced("b_1", termB, "102", "103", renewed(9), holder("x")))
		require.Equal(t, time.Minute-2*time.Second, v.FreeAt().Sub(Clock{}.Now()))
	})
}
