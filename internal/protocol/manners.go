package protocol

import (
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
)

// manners are how a candidate gets along with others on its Lease.
type manners struct {
	courteous bool          // others are to go first when the Lease comes free
	crowd     crowd         // of those that want it
	silence   time.Duration // after which the watch is not relied on
}

// courtesy is how much later than others a candidate tries that has reason to let them go first.
const courtesy = 200 * time.Millisecond

// A Lease that comes free is wanted by all its standbys at once. One wins; the others' writes
// are refused, which is cheap for each and not for a hundred. How many others there are a
// standby does not know, but it learns whether it loses races to them: then it waits for a
// random while the next time, a longer one each time it loses again, and mostly sees the
// winner's write before it would have tried. One that never lost, as with few replicas, waits
// for nothing.
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
