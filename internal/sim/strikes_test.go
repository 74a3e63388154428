package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// TestFaultsStrike: no kind of fault is drawn only to do nothing. What counts is
// the effect, such as a stale event handed over, or work that outlived its
// context.
func TestFaultsStrike(t *testing.T) {
	t.Parallel()
	whole.Only(t) // it takes more seeds than there is time for
	struck, peers, skewed, fast := map[sim.Kind]int{}, 0, 0, 0
	for seed := range uint64(strikeSeeds) {
		r := play(t, sim.Draw(seed, sim.Hotseat), false)
		for kind, n := range r.Struck {
			struck[kind] += min(n, 1)
		}
		for _, n := range r.Plan.Nodes {
			if n.Elector != sim.Hotseat {
				peers++
			}
			if n.Skew != 0 {
				skewed++
			}
			if n.Fast {
				fast++
			}
		}
	}
	var missing []sim.Kind
	for _, kind := range sim.Effects() {
		t.Logf("%-15s in %d of %d runs", kind, struck[kind], strikeSeeds)
		if struck[kind] == 0 {
			missing = append(missing, kind)
		}
	}
	t.Logf("%d client-go candidates, %d skewed wall clocks, %d fast ones", peers, skewed, fast)
	require.Empty(t, missing)
	require.Positive(t, peers)
	require.Positive(t, skewed)
	require.Positive(t, fast)
}
