package singleton

import (
	"context"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
)

// A Lease that comes free is wanted by all its standbys at once. One wins; the
// others' writes are refused, which is cheap for each and not for a hundred. How
// many others there are a standby does not know, but it learns whether it loses
// races to them: then it waits for a random while the next time, a longer one
// each time it loses again, and mostly sees the winner's write before it would
// have tried. One that never lost, as with few replicas, waits for nothing.
const (
	crowdLeast  = 5 * time.Millisecond // spread after the first lost race
	crowdGrowth = 4
	crowdMost   = 100 * time.Millisecond
)

// crowd is what a standby has learned of the others. The zero value is nothing.
type crowd struct {
	spread time.Duration
	turn   time.Duration // drawn from spread, for the Lease that is free now
}

func (c *crowd) lost() { c.spread = min(max(crowdLeast, crowdGrowth*c.spread), crowdMost) }

// next draws a turn for the next time the Lease comes free.
func (c *crowd) next(ctx context.Context) {
	if c.turn = 0; c.spread > 0 {
		c.turn = chance.N(ctx, c.spread)
	}
}
