package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Real time is measured by the command; here it is only compared.
func TestHandoverOverLoopback(t *testing.T) {
	t.Parallel()
	c := singletontest.New(singletontest.Options{})
	defer c.Close()
	h := handoverRun{leases: 8, rounds: 1}
	our, theirs := h.measure(t, c, ours()), h.measure(t, c, peer())
	t.Logf("| graceful handover, loopback: p50 / max | %s / %s | %s / %s |",
		seconds(theirs.quantile(.5)), seconds(theirs.max()), seconds(our.quantile(.5)), seconds(our.max()))
	require.Len(t, our, 8)
	require.Len(t, theirs, 8)
	require.Positive(t, our.min(), "work starts after the release was committed")
	require.Less(t, our.quantile(.5), theirs.quantile(.5))
}
