package main

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/sim"
)

// TestSeeds is what a mutant meets in the simulator: the seeds from 1 to
// MUTANT_SEEDS, up to the first that shows a violation. Unlike the simulator's
// own tests it starts at the same seed each time, leaves client-go's elector
// out, whose jitter no seed controls, and shrinks nothing: so it stops at the
// same seed each time, soon.
func TestSeeds(t *testing.T) {
	seeds := 10
	if text := os.Getenv(envSeeds); text != "" {
		var err error
		seeds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for seed := 1; seed <= seeds; seed++ {
		fmt.Println(saySeed, seed) // at once: the mutant may take the process with it
		plan := sim.Draw(uint64(seed), sim.Hotseat)
		for i := range plan.Nodes {
			plan.Nodes[i].Elector = sim.Hotseat
		}
		synctest.Test(t, func(t *testing.T) {
			r, err := sim.Run(plan, false)
			require.NoError(t, err)
			if len(r.Violations) > 0 {
				t.Fatal(sayRule, r.Violations[0].Rule+":", r.Violations[0].Text)
			}
		})
		if t.Failed() {
			return
		}
	}
}
