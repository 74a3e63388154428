package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/whole"
)

// Together these visit four of five states of this test: the quick loop leaves them to make test.
var dear = []string{
	"an acquire on its way through a restore",
	"by the version only",
	"patient acquire",
	"patient release",
	"release without a version",
	"revived by a late answer",
}

func skipDear(t *testing.T, name string) {
	t.Helper()
	if slices.Contains(dear, name) {
		whole.Only(t)
	}
}

// Each wrong rule breaks what it should, or the model is blind.
func TestWrongRulesAreFound(t *testing.T) {
	none := func(*bounds) {}
	for name, test := range map[string]struct {
		rules  rules
		change func(*bounds)
		want   violation
	}{
		"counted from the answer":       {countFromAnswer, none, overlap},
		"counted from the last sending": {countFromLast, func(b *bounds) { b.renewals, b.lazy = 2, true }, overlap},
		"revived by a late answer": {reviveOver, func(b *bounds) {
			b.L, b.R, b.horizon, b.lazy, b.faults.PutBacks = 4, 3, 5, true, 1
		}, overlap},
		"unheld is free":          {unheldIsFree, func(b *bounds) { b.renewals, b.faults.Clears = 0, 1 }, overlap},
		"missing is free":         {missingIsFree, func(b *bounds) { b.renewals, b.faults.Deletes = 0, 1 }, overlap},
		"release without compare": {blindRelease, func(b *bounds) { b.faults.Resigns = 1 }, overwrote},
		"release without a version": {releaseByContent, func(b *bounds) {
			b.acquires, b.lazy, b.renewals, b.faults.Resigns, b.faults.PutBacks = 2, true, 0, 1, 1
		}, overlap},
		"released before the drain": {releaseFirst, func(b *bounds) { b.renewals, b.faults.Resigns = 0, 1 }, overlap},
		"late acquire":              {lateAcquire, func(b *bounds) { b.renewals = 0 }, startedLate},
		"patient acquire":           {patientAcquire, func(b *bounds) { b.lazy, b.faults.PutBacks = true, 1 }, overlap},
		"patient release": {lateRelease, func(b *bounds) {
			b.acquires, b.lazy, b.renewals, b.faults.Resigns, b.faults.PutBacks = 2, true, 0, 1, 1
		}, overlap},
		"not announced":           {noAnnounce, func(b *bounds) { b.renewals, b.faults.Resigns = 0, 1 }, admittedTwo},
		"epoch by counting":       {countingEpoch, func(b *bounds) { b.renewals, b.faults.Deletes, b.faults.Ships = 0, 1, 1 }, epochOrder},
		"rewritten after a clash": {blindRewrite, func(b *bounds) { b.renewals, b.lazy = 2, true }, overwrote},
		"no watchdog":             {noWatchdog, func(b *bounds) { b.renewals = 0 }, overlap},
		"held on creation":        {heldCreate, func(b *bounds) { b.missing, b.renewals, b.faults.Deletes = true, 0, 1 }, epochOrder},
		"no gaps":                 {gapIsNone, func(b *bounds) { b.faults.PutBacks = 1 }, overlap},
		"a stopped wall clock":    {clockStands, none, overlap},
		"put back, believed": {wordIsProof, func(b *bounds) {
			b.acquires, b.lazy, b.renewals, b.faults.Resigns, b.faults.PutBacks, b.horizon = 2, true, 0, 1, 1, 1
		}, overlap},
		"replaced, believed":    {wordIsProof, func(b *bounds) { b.late, b.renewals, b.faults.Replaces = true, 0, 1 }, overlap},
		"another UID, believed": {uidIsNothing, func(b *bounds) { b.renewals, b.horizon, b.faults = 0, 1, budget{Deletes: 1, Ships: 1, Strangers: 1} }, overlap},
		"seat across a gap": {seatAcrossGap, func(b *bounds) {
			b.acquires, b.lazy, b.late, b.renewals, b.horizon, b.faults = 2, true, true, 0, 1, budget{Deletes: 1, Ships: 1, Clears: 1}
		}, overlap},
		"a death is proof": {deathIsProof, func(b *bounds) {
			b.deaths, b.acquires, b.lazy, b.renewals, b.horizon, b.faults = true, 2, true, 0, 1, budget{Crashes: 1, PutBacks: 1}
		}, overlap},
		"by the version only": {versionOnly, func(b *bounds) { b.lazy, b.renewals, b.acquires, b.faults.Unbumped = true, 0, 2, 1 }, overlap},
	} {
		t.Run(name, func(t *testing.T) {
			skipDear(t, name)
			t.Parallel()
			b := small(name, test.change)
			b.rules = test.rules
			r := explore(b)
			t.Logf("%d states, %v in %v:\n%s", r.states, r.bad, r.took, strings.Join(r.story, "\n"))
			require.Equal(t, test.want, r.bad)
			require.NotEmpty(t, r.story)
		})
	}
}

// What is left out of the proof is not unknown to the model.
func TestStatedHole(t *testing.T) {
	for name, test := range map[string]struct {
		holes  holes
		change func(*bounds)
		want   violation
	}{
		"shipped anew before a new process": {newcomers, func(b *bounds) {
			b.late, b.horizon, b.faults = true, 1, budget{Deletes: 1, Ships: 1}
		}, overlap},
		"restored before a new process":          {newcomers, func(b *bounds) { b.late, b.faults.Bumped = true, 1 }, overlap},
		"restored before one that was not shown": {behind, func(b *bounds) { b.faults.Bumped = 1 }, overlap},
		"an acquire on its way through a restore": {onTheirWay, func(b *bounds) {
			b.L, b.R, b.horizon, b.lazy, b.faults.PutBacks, b.faults.Unbumped = 3, 2, 4, true, 1, 1
		}, overlap},
		"read before a restore, an epoch twice": {behind, func(b *bounds) { b.late, b.faults.Bumped = true, 1 }, epochOrder},
	} {
		t.Run(name, func(t *testing.T) {
			skipDear(t, name)
			t.Parallel()
			r := explore(small(name, func(b *bounds) {
				b.renewals, b.horizon, b.holes = 0, 2, test.holes
				test.change(b)
			}))
			t.Logf("%d states, %v in %v:\n%s", r.states, r.bad, r.took, strings.Join(r.story, "\n"))
			require.Equal(t, test.want, r.bad)
		})
	}
}
