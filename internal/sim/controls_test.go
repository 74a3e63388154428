package sim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
)

// controlSeeds is within how many seeds each control must show its violation.
const controlSeeds = 60

// shows requires that a rule is violated within controlSeeds seeds. A simulator
// that cannot see what it looks for would find nothing either.
func shows(t *testing.T, rule string, breach func(*sim.Plan)) {
	t.Helper()
	for seed := range uint64(controlSeeds) {
		p := sim.Draw(seed, sim.Hotseat)
		for i := range p.Nodes {
			p.Nodes[i].Elector = sim.Hotseat
		}
		breach(&p)
		for _, v := range play(t, p, false).Violations {
			if v.Rule == rule {
				t.Logf("seed %d: %v", seed, v)
				return
			}
		}
	}
	t.Errorf("no violation of %q in %d seeds", rule, controlSeeds)
}

// holes are partitions of one node after the other, long enough for a takeover.
func holes(p *sim.Plan) {
	p.Faults = nil
	for i := range 6 {
		at := time.Duration(20+30*i) * time.Second
		for node := range p.Nodes {
			if node != i%len(p.Nodes) {
				continue
			}
			p.Faults = append(p.Faults, sim.Fault{Kind: sim.BlackHole, Node: node, At: at, For: 25 * time.Second})
		}
	}
}

func TestControlDriftBeyondTheBound(t *testing.T) {
	shows(t, "one at a time", func(p *sim.Plan) {
		holes(p)
		p.Timing = lease.Timing{}.WithDefaults() // tolerates 5 %
		p.FastLease = 11 * time.Second           // 36 %
		for i := range p.Nodes {
			p.Nodes[i].Fast = i%2 == 0
		}
	})
}

func TestControlStopBudgetIgnored(t *testing.T) {
	shows(t, "one at a time", func(p *sim.Plan) {
		holes(p)
		p.IgnoreStopBudget = true
	})
}

func TestControlGuardRemoved(t *testing.T) {
	shows(t, "stale writes are refused", func(p *sim.Plan) {
		frozen(p)
		p.Guard = sim.GuardAbsent
	})
}

// TestControlsAreQuietWithoutTheirBreach: what the controls find is the breach.
func TestControlsAreQuietWithoutTheirBreach(t *testing.T) {
	t.Parallel()
	for seed := range whole.Share(20, 3) {
		p := sim.Draw(seed, sim.Hotseat)
		holes(&p)
		require.Empty(t, play(t, p, false).Violations, "seed %d", seed)
		frozen(&p)
		require.Empty(t, play(t, p, false).Violations, "seed %d, frozen", seed)
		resigning(&p)
		require.Empty(t, play(t, p, false).Violations, "seed %d, resigning", seed)
	}
}

// TestControlShrinks: a failing plan comes down to the faults it needs.
func TestControlShrinks(t *testing.T) {
	p := sim.Draw(3, sim.Hotseat)
	holes(&p)
	p.Faults = append(p.Faults, sim.Fault{Kind: sim.Label, Node: -1, At: 3 * time.Second}, sim.Fault{Kind: sim.Compact, Node: -1, At: 4 * time.Second})
	p.IgnoreStopBudget = true
	fails := func(p sim.Plan) bool { return play(t, p, false).AtWork > 0 }
	require.True(t, fails(p))
	small := sim.Shrink(p, fails)
	require.Len(t, small.Faults, 1)
	require.Equal(t, sim.BlackHole, small.Faults[0].Kind)
	require.True(t, fails(small))

	report := play(t, small, true).Report()
	require.Contains(t, report, "VIOLATION")
	require.Contains(t, report, "one at a time")
	require.Contains(t, report, "SIM_SEED=3 ")

	again, err := sim.ParseFaults("black-hole:1:20s:25s:0")
	require.NoError(t, err)
	require.Equal(t, []sim.Fault{{Kind: sim.BlackHole, Node: 1, At: 20 * time.Second, For: 25 * time.Second}}, again)
	_, err = sim.ParseFaults("black-hole:1")
	require.ErrorContains(t, err, "kind:node:at:for:n")
	_, err = sim.ParseFaults("black-hole:x:20s:25s:0")
	require.ErrorContains(t, err, `"x"`)
}

// frozen are freezes of one node after the other, each long enough for a
// takeover.
func frozen(p *sim.Plan) {
	holes(p)
	for i := range p.Faults {
		p.Faults[i].Kind = sim.Freeze
	}
}

// resigning has the active hand over every few seconds, with writes on their way.
func resigning(p *sim.Plan) {
	p.Faults = []sim.Fault{{Kind: sim.SlowGuard, Node: -1, At: time.Second, For: 3 * time.Minute, N: 1000}}
	for i := range 20 {
		for node := range p.Nodes {
			at := time.Duration(20+8*i) * time.Second
			p.Faults = append(p.Faults, sim.Fault{Kind: sim.Resign, Node: node, At: at})
		}
	}
}
