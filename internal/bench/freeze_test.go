package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// both runs one measurement on each elector at the same time: real processes
// take real time.
func both[R any](t *testing.T, measure func(*testing.T, elector) R) (theirs, our R) {
	t.Helper()
	t.Run("both", func(t *testing.T) {
		t.Run("client-go", func(t *testing.T) { t.Parallel(); theirs = measure(t, peer()) })
		t.Run("hotseat", func(t *testing.T) { t.Parallel(); our = measure(t, ours()) })
	})
	if t.Failed() {
		t.FailNow()
	}
	return theirs, our
}

func TestFrozenThenContinued(t *testing.T) {
	t.Parallel()
	theirs, our := both(t, freeze)
	for range 3 { // its elector's question may be answered before work asks
		if !theirs.Leads {
			theirs = freeze(t, peer())
		}
	}
	t.Log(freezeRow(theirs, our))
	require.True(t, theirs.Leads, "IsLeader, beside the new leader")
	require.False(t, our.Leads, "Valid, on the first call")
	require.Less(t, our.Lived, theirs.Lived/2)
	require.True(t, our.Grew)
}

func TestFrozenThenTerminated(t *testing.T) {
	t.Parallel()
	theirs, our := both(t, freezeAndTerminate)
	t.Log(partingRow(theirs, our))
	require.True(t, theirs.Cleared)
	require.False(t, our.Cleared)
	require.Zero(t, our.Overlap)
}
