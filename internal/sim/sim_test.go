package sim_test

import (
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
)

// play runs a plan in a bubble of its own, and judges what it leaves.
func play(t *testing.T, p sim.Plan, story bool) (out sim.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		out, err = sim.Run(p, story)
		require.NoError(t, err)
	})
	judge(&out)
	return out
}

// explain shrinks a plan that failed and tells what happens in it.
func explain(t *testing.T, failed sim.Result) {
	t.Helper()
	rule := failed.Violations[0].Rule
	small := sim.Shrink(failed.Plan, func(p sim.Plan) bool {
		for _, v := range play(t, p, false).Violations {
			if v.Rule == rule {
				return true
			}
		}
		return false
	})
	t.Errorf("%s", play(t, small, true).Report())
}

// number is an environment variable's, or the default.
func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, variable)
	return n
}

// TestReplay plays SIM_SEED again, with SIM_FAULTS instead of its own faults if
// they are given, and shrinks it if SIM_SHRINK is set.
func TestReplay(t *testing.T) {
	if os.Getenv("SIM_SEED") == "" {
		t.Skip("SIM_SEED chooses a seed")
	}
	p := sim.Draw(number(t, "SIM_SEED", 0), sim.Elector(number(t, "SIM_ELECTOR", 0)))
	if text, given := os.LookupEnv("SIM_FAULTS"); given {
		faults, err := sim.ParseFaults(text)
		require.NoError(t, err)
		p.Faults = faults
	}
	r := play(t, p, true)
	if len(r.Violations) == 0 {
		t.Log(r.Report())
		return
	}
	if os.Getenv("SIM_SHRINK") != "" {
		explain(t, r)
	} else {
		t.Error(r.Report())
	}
}
