package sim_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// TestWedges plays schedules in which work hangs. SIM_WEDGES says how many, SIM_FROM from which
// seed on.
func TestWedges(t *testing.T) {
	left := number(t, "SIM_WEDGES", whole.Share(200, 12))
	stalls, played := 0, left
	for seed := number(t, "SIM_FROM", 0); left > 0; seed++ {
		p := sim.Draw(seed, sim.Hotseat)
		if !slices.ContainsFunc(p.Faults, func(f sim.Fault) bool { return f.Kind == sim.Wedge }) {
			continue
		}
		left--
		r := play(t, p, false)
		if len(r.Violations) > 0 {
			t.Error(r.Report())
			return
		}
		stalls += r.Struck[sim.Wedge]
	}
	t.Logf("%d schedules, %d terms stalled", played, stalls)
	require.Greater(t, stalls, int(played/4), "work hardly ever stalls")
}
