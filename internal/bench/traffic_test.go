package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSteadyLoad(t *testing.T) {
	for n, want := range map[int]float64{1: 0.5, 3: 1.13, 20: 6.44, 100: 31.4} { // 0.5 + (n-1)/3.2
		theirs, our := steady(t, peer(), n, 4*time.Minute), steady(t, ours(), n, 12*time.Minute)
		t.Logf("| N = %d, steady | %.2f req/s | %.2f req/s, of which %.2f writes |", n, theirs.all(), our.all(), our.writes)
		require.InEpsilon(t, want, theirs.all(), 0.1)
		require.LessOrEqual(t, our.writes, 0.51)
		perWatch := float64(n) / (5 * 60)
		require.LessOrEqual(t, our.watches, perWatch, "each lasts 5 minutes at least")
		require.LessOrEqual(t, our.reads, perWatch, "one list for each")
	}
}
