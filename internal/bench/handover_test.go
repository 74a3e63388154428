package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Real time is measured by the command; here it is only compared.
func TestHandoverOverLoopback(t *testing.T) {
	t.Parallel()
	all := handoverRun{leases: 8, rounds: 1}.compare(t, newDouble(t), 1)
	t.Logf("| graceful handover, loopback: p50 / max | %s / %s | %s / %s | floor %s / %s",
		seconds(all.theirs.quantile(.5)), seconds(all.theirs.max()), seconds(all.our.quantile(.5)), seconds(all.our.max()),
		seconds(all.floor.quantile(.5)), seconds(all.floor.max()))
	for _, s := range []spread{all.floor, all.our, all.theirs} {
		require.Len(t, s, 8)
		require.Positive(t, s.min(), "work starts after the stop was asked for")
	}
	require.Less(t, all.our.quantile(.5), all.theirs.quantile(.5))
}
