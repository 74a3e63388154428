package protocol

import (
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
)

// standing is a candidate that has seen the Lease held by b in version 100, and hears nothing
// more of it.
func standing(t *testing.T) (c *Candidate, now Instant) {
	now = Clock{}.Now()
	r := fenced("b_1", termB, "50", "100")
	c = NewCandidate(self(), nil, now)
	require.Equal(t, Wait, c.Next(now, true).Action, "nothing was seen")
	return c.Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "100", Listed: true}, now), now
}

// freed is one that sees b release the Lease.
func freed(t *testing.T) (c *Candidate, now Instant) {
	c, now = standing(t)
	r := fenced("", termB, "50", "101", release("100"))
	return c.Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "101", After: "100"}, now), now
}

// Rule F4: a candidate that waits for a claim to run out looks again when a holder is silent for
// longer than a live one is.
func TestCandidateListens(t *testing.T) {
	c, now := standing(t)
	d := c.Next(now, true)
	require.Equal(t, Wait, d.Action)
	require.Equal(t, 4*time.Second, d.At.Sub(now), "two RetryPeriods, and a random part of another")
	require.Equal(t, Confirm, c.Next(d.At, true).Action)
	require.Equal(t, Confirm, c.Next(d.At, false).Action, "A6: a look is no candidacy")
}

// Rule A6: what is not eligible acquires and creates nothing; what resigned stands back for
// HoldOff, but creates a missing Lease.
func TestCandidateMayNotAct(t *testing.T) {
	c, now := freed(t)
	require.Equal(t, Acquire, c.Next(now, true).Action)
	require.Equal(t, Wait, c.Next(now, false).Action)
	back := c.HoldOff(now.Add(4 * time.Second))
	d := back.Next(now, true)
	require.Equal(t, Wait, d.Action)
	require.Equal(t, 4*time.Second, d.At.Sub(now))

	gone := back.Observe(Observation{Asked: now, At: now, ResourceVersion: "102", After: "101"}, now)
	require.Equal(t, Create, gone.Next(now, true).Action)
	require.Equal(t, Wait, gone.Next(now, false).Action)
	require.Equal(t, Wait, NewCandidate(self(), back, now).Next(now, true).Action, "also in the next Run")
}

// Rule A5: one that lost a race waits its turn, from when the Lease comes free; one that has
// reason to lets all others go first.
func TestCandidateTakesItsTurn(t *testing.T) {
	identity := *self()
	identity.Draw = func(most time.Duration) time.Duration { return most - 1 }
	c, now := freed(t)
	c.self = &identity
	lost, verdict := c.Failed(Decision{Action: Acquire}, lease.ErrConflict, now)
	require.Equal(t, Faster, verdict)
	require.Equal(t, Confirm, lost.Next(now.Add(time.Second), true).Action, "R3: a failed write proves nothing")
	taken := lost.Observe(Observation{Record: fenced("c_1", termC, "60", "102", renewed(3)), Asked: now, At: now, ResourceVersion: "102", After: "101"}, now)
	free := taken.Observe(Observation{Record: fenced("", termC, "60", "103", renewed(4), release("102")), Asked: now, At: now, ResourceVersion: "103", After: "102"}, now)
	d := free.Next(now, true)
	require.Equal(t, Wait, d.Action)
	require.Equal(t, crowdLeast-1, d.At.Sub(now))
	require.Equal(t, Acquire, free.Next(d.At, true).Action)
	require.Equal(t, courtesy, free.Courteous().Next(now, true).At.Sub(now))
}

// TestCrowdWaitsAreShort: whatever it lost before, a standby is not seen to wait.
func TestCrowdWaitsAreShort(t *testing.T) {
	most := func(d time.Duration) time.Duration { return d - 1 }
	c := crowd{}.next(most)
	require.Zero(t, c.turn, "one that never lost")
	for range 100 {
		c = c.lost().next(most)
		require.Less(t, c.turn, 200*time.Millisecond)
	}
}

// Rule F2: refusals that only a hand can mend end Run if they came from the start on, for a lease
// duration, with no other answer between.
func TestRefusalsThatEndRun(t *testing.T) {
	forbidden := &lease.RequestError{Verb: "patch", Kind: lease.ErrForbidden, Err: errHand}
	acquire := Decision{Action: Acquire}
	c, began := freed(t)
	first, verdict := c.Failed(acquire, forbidden, began)
	require.Equal(t, FirstRefused, verdict, "it is told")
	second, verdict := first.Failed(acquire, forbidden, began.Add(L-1))
	require.Equal(t, Refused, verdict)
	_, verdict = second.Failed(acquire, forbidden, began.Add(L))
	require.Equal(t, Hopeless, verdict)

	between, verdict := second.Failed(acquire, lease.ErrUnavailable, began.Add(L-1))
	require.Equal(t, Outage, verdict)
	_, verdict = between.Failed(acquire, forbidden, began.Add(L))
	require.Equal(t, FirstRefused, verdict, "another answer came between")
	_, verdict = second.NoAnswer().Failed(acquire, forbidden, began.Add(L))
	require.Equal(t, FirstRefused, verdict, "and so did none")

	late, _ := c.Failed(acquire, forbidden, began.Add(L))
	_, verdict = late.Failed(acquire, forbidden, began.Add(3*L))
	require.Equal(t, Refused, verdict, "it was not there from the start")
}

// Rule F1: a failed attempt is repeated after a pause that grows to RetryPeriod at most.
func TestFailedAttemptsPause(t *testing.T) {
	c, now := freed(t)
	last := time.Duration(0)
	for range 12 {
		c, _ = c.Failed(Decision{Action: Confirm}, lease.ErrUnavailable, now)
		pause := c.Next(now, true).At.Sub(now)
		require.GreaterOrEqual(t, pause, last)
		require.LessOrEqual(t, pause, 2*time.Second)
		last = pause
	}
	require.Equal(t, time.Second, last, "half of it is random")
}

// A Candidate is a value: what is done with one leaves it as it was.
func TestCandidateIsAValue(t *testing.T) {
	c, now := standing(t)
	before := *c
	d := Decision{Action: Acquire}
	c.Observe(Observation{Asked: now, At: now, ResourceVersion: "105"}, now)
	c.Confirmed(Observation{Asked: now, At: now, ResourceVersion: "105", Listed: true}, now)
	c.Proved(c.View().Record(), Record{}, false)
	c.Failed(d, lease.ErrConflict, now)
	c.Created(now)
	c.HoldOff(now)
	c.Courteous()
	c.NoAnswer()
	require.Equal(t, before.view, c.view)
	require.Equal(t, before.tries, c.tries)
	require.Equal(t, before.manners, c.manners)
	require.Equal(t, before.leave, c.leave)
}
