package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// Failover and handover are measured in virtual time, on a network and a server
// that take none: what is left is what the protocols wait for. The leader goes
// at phases spread evenly over its RetryPeriod, one bubble each.

const period = 2 * time.Second // RetryPeriod

// gapScript plays a leader's end at a time after a renewal and returns how long
// no work ran.
type gapScript func(s *scenario.Stage, after time.Duration, standbys int) time.Duration

// gaps plays the script at that many phases.
func gaps(t *testing.T, e elector, script gapScript, phases, standbys int) spread {
	t.Helper()
	var all []time.Duration
	for i := range phases {
		synctest.Test(t, func(t *testing.T) {
			s := scenario.New(scenario.Options{Release: true}, e.play(false))
			defer s.Close()
			gap := script(s, time.Duration(i)*period/time.Duration(phases), standbys)
			if len(s.Terms()) < 2 {
				t.Fatalf("%s: nobody took over", e.name)
			}
			all = append(all, gap)
		})
	}
	return newSpread(all)
}

func three(s spread) string {
	return seconds(s.min()) + " / " + seconds(s.mean()) + " / " + seconds(s.max())
}

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
