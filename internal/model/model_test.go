package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func requireHolds(t *testing.T, b bounds) {
	t.Helper()
	r := explore(b)
	require.Equal(t, none, r.bad, "%s:\n%s", b.name, strings.Join(r.story, "\n"))
	require.Greater(t, r.states, 1000, "hardly anything was explored")
}

func TestProtocolHolds(t *testing.T) {
	for _, b := range []bounds{
		small("delays", func(b *bounds) { b.renewals = 0 }),
		small("late watch events", func(b *bounds) { b.staleEvents, b.renewals, b.horizon = true, 0, 2 }),
		small("cleared", func(b *bounds) { b.renewals, b.faults.Clears = 0, 1 }),
		small("deleted", func(b *bounds) { b.renewals, b.creates, b.horizon, b.faults.Deletes = 0, 1, 1, 1 }),
		small("bumped", func(b *bounds) { b.renewals, b.horizon, b.faults.Bumped = 0, 2, 1 }),
		small("not bumped", func(b *bounds) { b.renewals, b.horizon, b.faults.Unbumped = 0, 2, 1 }),
	} {
		t.Run(b.name, func(t *testing.T) { requireHolds(t, b) })
	}
}

// Each wrong rule breaks what it should, or the model is blind.
func TestWrongRulesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		rules  rules
		change func(*bounds)
		want   violation
	}{
		"counted from the answer":   {countFromAnswer, func(*bounds) {}, overlap},
		"unheld is free":            {unheldIsFree, func(b *bounds) { b.renewals, b.faults.Clears = 0, 1 }, overlap},
		"missing is free":           {missingIsFree, func(b *bounds) { b.renewals, b.faults.Deletes = 0, 1 }, overlap},
		"release without compare":   {blindRelease, func(b *bounds) { b.faults.Resigns = 1 }, overwrote},
		"released before the drain": {releaseFirst, func(b *bounds) { b.renewals, b.faults.Resigns = 0, 1 }, overlap},
		"late acquire":              {lateAcquire, func(b *bounds) { b.renewals = 0 }, startedLate},
		"not announced":             {noAnnounce, func(b *bounds) { b.renewals, b.faults.Resigns = 0, 1 }, admittedTwo},
		"epoch by counting":         {countingEpoch, func(b *bounds) { b.renewals, b.faults.Deletes, b.faults.Ships = 0, 1, 1 }, epochOrder},
		"rewritten after a clash":   {blindRewrite, func(b *bounds) {}, overwrote},
		"no watchdog":               {noWatchdog, func(b *bounds) { b.renewals = 0 }, overlap},
		"held on creation":          {heldCreate, func(b *bounds) { b.missing, b.renewals, b.faults.Deletes = true, 0, 1 }, epochOrder},
	} {
		t.Run(name, func(t *testing.T) {
			b := small(name, test.change)
			b.rules = test.rules
			r := explore(b)
			t.Logf("%d states, %v:\n%s", r.states, r.bad, strings.Join(r.story, "\n"))
			require.Equal(t, test.want, r.bad)
			require.NotEmpty(t, r.story)
		})
	}
}

// What is left out of the proof is not unknown to the model: a process that
// never saw the Lease believes a replaced one, and one that could have acquired
// long ago, but did not, a restored one.
func TestStatedHole(t *testing.T) {
	for name, faults := range map[string]budget{
		"shipped anew before a new process": {Crashes: 1, Deletes: 1, Ships: 1},
		"restored before a hesitant one":    {Bumped: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := explore(small(name, func(b *bounds) { b.holes, b.renewals, b.horizon, b.faults = true, 0, 1, faults }))
			t.Log(strings.Join(r.story, "\n"))
			require.Equal(t, overlap, r.bad)
		})
	}
}
