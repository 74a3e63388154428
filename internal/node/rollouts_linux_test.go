package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
)

const rolloutsHead = `## Rollouts, drains and scale-downs

Three replicas of examples/deploy on two nodes, with a lease duration of %v. "Follower" is that of package
rollout, with Terminating, Revision, HandOver, Node and DeletionCost. All is judged by what the replicas
report of their work.

- "Moves" are the terms that began, at least and at most in one rollout, drain or scale-down.
- "Nobody" is for how long nobody was active in one of them, all its moves together.
- "As wished" is one move in a rollout and in a drain, none in a scale-down. If the active is deleted on a
  cordoned node, it is one move to the other node.
- Before all but the rollouts, the active and one standby are on one node, the other standby on the other.

No drain left fewer than two replicas ready. Without the PodDisruptionBudget one did, as it must.

`

const rolloutsColumns = `|  | Follower | n | moves, min / max | as wished | nobody, p50 / p95 / max (ms) | verdict |
|---|---|---|---|---|---|---|
`

// nobodyFor is how long nobody may be active in 95 of 100 rollouts.
const nobodyFor = 250 * time.Millisecond

// TestRollouts: what package rollout is good for, beside the same without it.
func TestRollouts(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort has a rollout")
	}
	c := newCluster(t, Options{Nodes: 2, Images: replicaImages()})
	with, without := map[string][]move{}, map[string][]move{}
	t.Run("with", func(t *testing.T) {
		l := newRollouts(t, c, "rollouts-with", 8401, true)
		for _, p := range plays() {
			with[p.name] = l.playAll(p, p.with)
		}
		l.drainsWithoutBudget()
		l.ends()
	})
	t.Run("without", func(t *testing.T) {
		l := newRollouts(t, c, "rollouts-without", 8402, false)
		for _, p := range plays() {
			without[p.name] = l.playAll(p, p.without)
		}
		l.ends()
	})
	if t.Failed() {
		return
	}
	var table strings.Builder
	fmt.Fprintf(&table, rolloutsHead, lease.Timing{}.WithDefaults().LeaseDuration)
	table.WriteString(rolloutsColumns)
	for _, p := range plays() {
		wished, typical := rolloutRow(&table, p.name, "yes", with[p.name])
		require.Equal(t, p.with, wished, "%s with the Follower: %v", p.name, with[p.name])
		require.Less(t, typical, nobodyFor+noise, p.name) // a machine that stalls makes some slow
		wished, _ = rolloutRow(&table, p.name, "no", without[p.name])
		if p.never {
			require.Zero(t, wished, "%s goes well without the Follower, so this test shows nothing", p.name)
		}
	}
	report(t, "4-rollouts", table.String())
}

// play is something done to the replicas.
type play struct {
	name          string
	with, without int             // how often, with the Follower and without
	once, before  func(*rollouts) // what comes before all, and before each; nil: nothing
	play          func(*rollouts)
	wished        func(l *rollouts, moves int) bool
	never         bool // it never goes as wished without the Follower; else that is for chance to decide
}

func plays() []play {
	oneMove := func(_ *rollouts, moves int) bool { return moves == 1 }
	return []play{
		{name: "rollout", with: 20, without: 8, play: (*rollouts).rollsOut, wished: oneMove},
		{
			name: "rollout, maxSurge 0", with: 20, without: 8, once: (*rollouts).withoutSurge,
			play: (*rollouts).rollsOut, wished: oneMove,
		},
		{
			name: "scale 3 to 1", with: 10, without: 4, before: (*rollouts).arrange,
			play: (*rollouts).shrinks, never: true,
			wished: func(_ *rollouts, moves int) bool { return moves == 0 },
		},
		{
			name: "drain", with: 8, without: 4, before: (*rollouts).arrange,
			play:   func(l *rollouts) { require.GreaterOrEqual(l.t, l.drains(), 2, "the budget allows one") },
			wished: oneMove,
		},
		{
			name: "cordon, active deleted", with: 8, without: 6, before: (*rollouts).arrange,
			play: (*rollouts).cordons,
			wished: func(l *rollouts, moves int) bool {
				return moves == 1 && !l.cordoned(l.nodeOf(l.active().Replica))
			},
		},
	}
}

// rolloutRow adds a row, and returns how many went as wished, and for how long nobody was active as a
// rule.
func rolloutRow(table *strings.Builder, name, follower string, all []move) (wished int, typical time.Duration) {
	least, most := all[0].moves, 0
	var nobody []time.Duration
	for _, m := range all {
		least, most = min(least, m.moves), max(most, m.moves)
		nobody = append(nobody, m.nobody)
		if m.wished {
			wished++
		}
	}
	verdict := "holds"
	typical = percentile(nobody, 50)
	slow := percentile(nobody, 95)
	switch {
	case wished < len(all):
		verdict = fmt.Sprintf("%d not as wished", len(all)-wished)
	case slow > nobodyFor:
		verdict = "holds (slow)"
	}
	fmt.Fprintf(table, "| %s | %s | %d | %d / %d | %d | %d / %d / %d | %s |\n", name, follower, len(all), least, most,
		wished, typical.Milliseconds(), slow.Milliseconds(), percentile(nobody, 100).Milliseconds(), verdict)
	return wished, typical
}
