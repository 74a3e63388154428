package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each test here is a row of README's table "Beside client-go". It plays one
// script to both electors: what client-go does is the baseline, asserted
// loosely; what hotseat must do is asserted exactly.

const (
	sec  = time.Second
	msec = time.Millisecond
)

// compare plays f to both, logs the row, and checks what must hold for hotseat
// after every script.
func compare(t *testing.T, f fault) (theirs, our *seen) {
	t.Helper()
	theirs, our = f.both(t)
	t.Log(f.row(theirs, our))
	require.Zero(t, our.Work, "hotseat: two at work: %+v", our.Terms)
	require.True(t, our.TokensGrow, "hotseat: %+v", our.Terms)
	for _, c := range our.commits() {
		require.False(t, c.by != "" && c.from != "" && c.to == "" && c.from != c.by && c.from != "same",
			"hotseat: %s cleared the Lease of %s", c.by, c.from)
	}
	return theirs, our
}

func overlaps(t *testing.T, want time.Duration, f fault) {
	t.Helper()
	theirs, _ := compare(t, f)
	require.InDelta(t, want, theirs.Contexts, float64(sec/2))
}

func TestLastRenewalAnsweredLateThenAPILost(t *testing.T) {
	overlaps(t, 1800*msec, answeredLate(4900*msec, 5*sec, false))
	overlaps(t, 6400*msec, answeredLate(9500*msec, 0, false))
	overlaps(t, 16400*msec, answeredLate(9500*msec, 0, true))
}

func TestPartitionRightAfterPromptRenewal(t *testing.T) {
	overlaps(t, 2*sec, partitioned(5*sec))
	overlaps(t, 6900*msec, partitioned(0))
}

func TestAcquireAnsweredLate(t *testing.T) {
	for _, late := range []time.Duration{16 * sec, 30 * sec} {
		theirs, our := compare(t, acquiredLate(late))
		require.InDelta(t, 10*sec, theirs.Contexts, float64(sec/2))
		b, c := theirs.of("b"), theirs.of("c")
		require.Greater(t, b[0].Started, c[0].Started, "it starts although its successor works")
		require.NotEmpty(t, our.Terms)
	}
}

func TestLeaseDeletedUnderLiveLeader(t *testing.T) {
	theirs, our := compare(t, leaseDeleted())
	require.InDelta(t, 11950*msec, theirs.Contexts, float64(sec/2))
	deleted := func(c commit) bool { return c.leaseDeleted }
	before, after := theirs.around(deleted)
	require.EqualValues(t, 41, before.transitions)
	require.EqualValues(t, 0, after.transitions)
	require.False(t, theirs.TokensGrow)
	require.Less(t, our.of("a")[0].Ended.Sub(our.first(deleted).at), sec/10)
}

func TestAnotherHolderSeenInTheRecord(t *testing.T) {
	theirs, our := compare(t, otherHolder())
	told, ok := theirs.toldAfterEdit()
	require.True(t, ok)
	require.GreaterOrEqual(t, told, 10*sec, "RenewDeadline after it looked")
	require.LessOrEqual(t, told, 12500*msec)
	told, ok = our.toldAfterEdit()
	require.True(t, ok)
	require.Less(t, told, sec/10)
}

func TestAnotherHolderSeenForAWhile(t *testing.T) {
	theirs, our := compare(t, otherHolderForAWhile())
	require.Len(t, theirs.Terms, 1)
	_, ok := theirs.toldAfterEdit()
	require.False(t, ok, "lost and regained within one callback")
	require.Len(t, our.of("a"), 2)
	told, _ := our.toldAfterEdit()
	require.Less(t, told, sec/10)
}

func TestHealingPartitionClearsTheSuccessor(t *testing.T) {
	for _, f := range []fault{healed(16*sec, 5*sec), healed(18*sec, 0)} {
		theirs, our := compare(t, f)
		require.Equal(t, "b", theirs.release("a").from, "it cleared its successor's Lease")
		require.InDelta(t, 10*sec, theirs.Contexts, float64(sec))
		require.Zero(t, our.release("a"))
		require.Len(t, our.of("b"), 1)
		require.Zero(t, our.of("b")[0].Ended, "b works on undisturbed")
	}
}

func TestReleasedAfterTheWorkReturned(t *testing.T) {
	early := func(saw *seen) time.Duration { return saw.of("a")[0].Return.Sub(saw.release("a").at) }
	theirs, our := compare(t, stoppedWithDrain())
	require.InDelta(t, 3*sec, early(theirs), float64(sec/10))
	require.InDelta(t, 3*sec, theirs.Work, float64(sec/2), "two at work, though one context only")
	require.LessOrEqual(t, early(our), time.Duration(0))
	require.Len(t, our.of("b"), 1)
}

func TestWorkThatReturnsEndsTheTerm(t *testing.T) {
	theirs, our := compare(t, workReturns())
	require.Equal(t, "a", holder(theirs.Lease), "it renews for ever")
	require.InDelta(t, 30, theirs.renewals("a"), 2)
	require.Empty(t, holder(our.Lease))
	require.Zero(t, our.release("a").at.Sub(our.of("a")[0].Return))
}

func TestOneIdentityTwoProcesses(t *testing.T) {
	theirs, our := compare(t, oneIdentity())
	require.Len(t, theirs.Terms, 2)
	require.Greater(t, theirs.Contexts, 55*sec, "both lead to the end")
	require.Len(t, our.Terms, 1)
}

func TestLeaseTransitionsAtMaxInt32(t *testing.T) {
	theirs, our := compare(t, transitionsAtMax())
	require.Empty(t, theirs.Terms)
	require.Len(t, our.Terms, 1)
}

func TestFencingTokenOfEveryTerm(t *testing.T) {
	theirs, our := compare(t, tokenOfNextTerm())
	require.Len(t, theirs.Terms, 2)
	require.Equal(t, theirs.Terms[0].Token, theirs.Terms[1].Token, "leaseTransitions repeats")
	require.Len(t, our.Terms, 2)
}
