package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// TestDeaths plays schedules in which the API shows which processes are dead: late, out of date, by
// halves, or with the death of another container. SIM_DEATHS says how many.
func TestDeaths(t *testing.T) {
	n := number(t, "SIM_DEATHS", whole.Share(200, 6))
	from := number(t, "SIM_FROM", 0)
	proven := 0
	for i := range n {
		p := sim.Draw(5*(from+i)+3, sim.Hotseat)
		require.True(t, p.Evidence)
		r := play(t, p, false)
		if len(r.Violations) > 0 {
			t.Error(r.Report())
			return
		}
		proven += r.Struck[sim.ProvenDead]
	}
	t.Logf("%d schedules, %d proofs of a death", n, proven)
	require.Greater(t, proven, int(n/4), "evidence is hardly ever used")
}
