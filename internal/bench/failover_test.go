package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

func TestCrashFailover(t *testing.T) {
	const phases = 30
	theirs, our := gaps(t, peer(), scenario.Crash, phases, 1), gaps(t, ours(), scenario.Crash, phases, 1)
	t.Logf("| crash failover, 1 standby: min / mean / max | %s | %s |", three(theirs), three(our))
	require.GreaterOrEqual(t, theirs.min(), 13*sec, "LeaseDuration - RetryPeriod")
	require.InDelta(t, 17200*msec, theirs.mean(), float64(1500*msec))
	require.LessOrEqual(t, theirs.max(), 24*sec)
	require.Greater(t, theirs.max(), 18*sec)
	require.Less(t, our.mean(), theirs.mean())
	require.LessOrEqual(t, our.max(), 15500*msec, "LeaseDuration + 0.5 s")
}

func TestGracefulHandover(t *testing.T) {
	const phases = 30
	theirs, our := gaps(t, peer(), scenario.Handover, phases, 1), gaps(t, ours(), scenario.Handover, phases, 1)
	t.Logf("| graceful handover, 1 standby: min / mean / max | %s | %s |", three(theirs), three(our))
	require.InDelta(t, 1600*msec, theirs.mean(), float64(700*msec))
	require.LessOrEqual(t, theirs.max(), 4400*msec, "RetryPeriod with jitter")
	require.Less(t, our.max(), 10*msec)
}
