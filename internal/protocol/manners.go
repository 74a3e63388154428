package protocol

import (
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
)

// manners are how a candidate gets along with others on its Lease.
type manners struct {
	courteous bool          // others are to go first when the Lease comes free
	yield     time.Duration // how much longer than that others may take
	crowd     crowd         // of those that want it
	silence   time.Duration // after which the watch is not relied on
	failed    failed        // its own terms
}

// courtesy is how much later than the others a candidate tries if it has reason to let them go
// first.
const courtesy = 200 * time.Millisecond

// When a Lease comes free, all its standbys want it at once. One wins, and the writes of the others
// are refused. That is cheap for one, but not for a hundred. A standby does not know how many
// rivals it has, but it knows when it loses to them. Each loss widens a random delay before its
// next attempt, so that it usually sees the winner's write instead of racing. A standby that has
// never lost does not wait.
const (
	crowdLeast  = 10 * time.Millisecond // spread after the first lost race
	crowdGrowth = 4
	crowdMost   = 200 * time.Millisecond
)

// crowd is what a standby has learned of the others. The zero value is nothing.
type crowd struct {
	spread time.Duration
	turn   time.Duration // drawn from spread, for the Lease that is free now
}

func (c crowd) lost() crowd {
	c.spread = min(max(crowdLeast, crowdGrowth*c.spread), crowdMost)
	return c
}

// next draws a turn for the next time the Lease comes free.
func (c crowd) next(draw chance.Draw) crowd {
	if c.turn = 0; c.spread > 0 {
		c.turn = draw(c.spread)
	}
	return c
}
