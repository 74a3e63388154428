package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Rule A10: each failure in a row doubles how long others go first, up to a lease duration.
func TestFailuresLetOthersGoFirst(t *testing.T) {
	c, now := freed(t)
	me := *c.self
	me.HoldOff = 3 * time.Second
	c.self = &me
	require.Equal(t, Acquire, c.Next(now, true).Action)
	for n, wait := range []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 15 * time.Second, 15 * time.Second} {
		c = c.Worked(time.Second, true, now)
		require.Equal(t, wait, c.Next(now, true).At.Sub(now))
		require.NotEqual(t, Wait, c.Next(now.Add(wait), true).Action, "no longer")
		row, shown := c.Failures(now)
		require.Equal(t, n+1, row)
		require.Equal(t, wait, shown)
	}
	require.Equal(t, 15*time.Second, c.Yielding(time.Second).Next(now, true).At.Sub(now), "the longer of both")
	require.Equal(t, 15*time.Second, c.Worked(15*time.Second-1, false, now).Next(now, true).At.Sub(now), "too short to make up for it")
	require.Equal(t, Acquire, c.Worked(15*time.Second, false, now).Next(now, true).Action, "a good term")
	require.Equal(t, 3*time.Second, c.Worked(time.Hour, true, now).Next(now, true).At.Sub(now), "good at first: the row begins anew")
	require.Equal(t, 15*time.Second, NewCandidate(&me, c, now).Next(now, true).At.Sub(now), "in another Run")

	me.HoldOff = time.Hour
	require.Equal(t, 15*time.Second, c.Next(now, true).At.Sub(now))
	me.HoldOff = 0
	require.Equal(t, Acquire, c.Next(now, true).Action)
}

// Rule A10: after ten minutes nobody remembers.
func TestFailuresAreForgotten(t *testing.T) {
	c, now := freed(t)
	me := *c.self
	me.HoldOff = 3 * time.Second
	c.self = &me
	require.Equal(t, 3*time.Second, c.Worked(0, true, now.Add(-10*time.Minute)).Next(now, true).At.Sub(now))
	require.Equal(t, Acquire, c.Worked(0, true, now.Add(-10*time.Minute-1)).Next(now, true).Action)
}

// A name on the Lease is somebody's wish: it counts for more.
func TestNamedGoesFirstThoughItFailed(t *testing.T) {
	c, now := standing(t)
	me := *c.self
	me.Identity, me.HoldOff = processOfA, 3*time.Second
	c.self = &me
	r := fenced("", termB, "50", "101", release("100"), successor(processOfA))
	c = c.Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "101", After: "100"}, now)
	require.Equal(t, Acquire, c.Worked(0, true, now).Next(now, true).Action)
}
