package protocol

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// stored is a GET's answer.
func stored(r Record) Observation {
	o := look(r, r.ResourceVersion())
	o.Stored = true
	return o
}

// Rule R6: what a List shows again after the store was asked comes from a cache. It
// neither starts a wait anew nor is acted on.
func TestListsOfACacheThatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cached, there := fenced("a_1", termA, "50", "120", renewed(9)), fenced("a_1", termA, "50", "100")
		v := shown(View{}, false, cached)
		time.Sleep(time.Second)
		v = v.Observe(stored(there), L)
		waits(t, v, L)
		for range 5 {
			time.Sleep(time.Second)
			v = v.Observe(look(cached, "120"), L)
			require.Equal(t, "100", v.Record().ResourceVersion())
		}
		waits(t, v, L-5*time.Second)
		time.Sleep(L)
		require.Equal(t, Confirm, v.decide(Clock{}.Now(), false).Action)
		v = v.Observe(stored(there), L)
		require.Equal(t, Acquire, v.decide(Clock{}.Now(), true).Action)
		require.Equal(t, "120", v.Newest(), "an epoch is to be above")

		// What else a List shows is news, and so is what a watch does.
		waits(t, v.Observe(look(fenced("a_1", termA, "50", "121", renewed(10)), "121"), L), L)
		waits(t, v.Observe(event(fenced("a_1", termA, "50", "121", renewed(10)), "121", "100"), L), L)
		waits(t, v.Observe(stored(fenced("a_1", termA, "50", "101", renewed(10))), L), L)
	})
}

// A Lease that was missing, then made, then gone again is not a cache's.
func TestMissingIsSeenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := shown(View{}, false, Record{})
		time.Sleep(time.Second)
		v = v.Observe(stored(vacant(7)), L)
		require.True(t, v.Record().Exists())
		time.Sleep(time.Second)
		v = v.Observe(look(Record{}, "9"), L)
		require.False(t, v.Record().Exists())
		require.Equal(t, Create, v.decide(Clock{}.Now(), true).Action)
	})
}

// Nor is a doubt left by what is not believed.
func TestDoubtEndsByALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cached, there := fenced("a_1", termA, "50", "120", renewed(9)), fenced("a_1", termA, "50", "100")
		v := shown(View{}, false, cached).Observe(stored(there), L)
		time.Sleep(time.Second)
		v = v.Observe(stored(there), L).Doubt()
		time.Sleep(time.Second)
		require.Equal(t, Confirm, v.Observe(look(cached, "120"), L).decide(Clock{}.Now(), true).Action, "a GET is asked for")
		require.Equal(t, Wait, v.Observe(stored(there), L).decide(Clock{}.Now(), true).Action)
	})
}
