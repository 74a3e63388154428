package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
)

const podA, processOfA = "invoicer-7d9f-a", "invoicer-7d9f-a_0123456789abcdef"

func successor(name string) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) { l.Annotations[lease.AnnotationSuccessor] = name }
}

func preferring(name string) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) { l.Spec.PreferredHolder = &name }
}

func TestWhoIsNamed(t *testing.T) {
	for name, is := range map[string]bool{
		podA: true, processOfA: true, "": false, "invoicer-7d9f": false, podA + "_": false,
		podA + "_fedcba9876543210": false,
	} {
		require.Equal(t, is, names(name, processOfA), name)
	}
	require.True(t, names("host", "host"), "an identity of any kind names itself")
	for _, foreign := range []string{"", "host", "host_0123456789abcdeg", "host_0123", podA + "_0123456789ABCDEF"} {
		require.Empty(t, podOf(foreign), foreign)
	}
	both := fenced("b_1", termB, "50", "100", preferring("one"), successor("two"))
	require.Equal(t, "two", both.Successor(), "an annotation is somebody's own word")
	require.Equal(t, "one", fenced("b_1", termB, "50", "100", preferring("one")).Successor())
	require.Empty(t, Record{}.Successor())
}

// Rule A8: the named one acquires at once, even if it stands back or is courteous. The others try
// later by the grace, and no later.
func TestNamedGoesFirst(t *testing.T) {
	free := func(named ...func(*coordv1.Lease)) (*Candidate, Instant) {
		now := Clock{}.Now()
		me := *self()
		me.Identity = processOfA
		r := fenced("b_1", termB, "50", "100")
		c := NewCandidate(&me, nil, now).Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "100", Listed: true}, now)
		r = fenced("", termB, "50", "101", append(named, release("100"))...)
		return c.Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "101", After: "100"}, now), now
	}
	for _, name := range []string{podA, processOfA} {
		c, now := free(successor(name))
		c = c.HoldOff(now.Add(time.Minute)).Courteous().Yielding(time.Minute)
		require.Equal(t, Acquire, c.Next(now, true).Action, name)
		require.Equal(t, Wait, c.Next(now, false).Action, "A6: not eligible")
	}
	c, now := free(preferring(podA))
	require.Equal(t, Acquire, c.HoldOff(now.Add(time.Minute)).Next(now, true).Action)

	for name, edit := range map[string]func(*coordv1.Lease){
		"another": successor("invoicer-7d9f-b"), "another process": successor(podA + "_fedcba9876543210"),
		"preferred": preferring("invoicer-7d9f-b"),
	} {
		c, now := free(edit)
		d := c.Next(now, true)
		require.Equal(t, Wait, d.Action, name)
		require.Equal(t, time.Second, d.At.Sub(now), "half a RetryPeriod: %s", name)
		require.Equal(t, Acquire, c.Observe(Observation{Record: c.View().Record(), Asked: d.At, At: d.At, ResourceVersion: "101", Listed: true}, d.At).Waited().Next(d.At, true).Action)
	}
}

// Rule A9: a courteous one tries later by as long as it was told, and no later.
func TestYieldingIsBounded(t *testing.T) {
	c, now := freed(t)
	require.Equal(t, Acquire, c.Yielding(0).Next(now, true).Action)
	c = c.Yielding(1500 * time.Millisecond)
	require.Equal(t, 1500*time.Millisecond, c.Next(now, true).At.Sub(now))
	require.Same(t, c, c.Yielding(1500*time.Millisecond))
	require.NotEqual(t, Wait, c.Next(now.Add(1500*time.Millisecond), true).Action)
	require.Equal(t, Acquire, c.Yielding(0).Next(now, true).Action, "taken back")
}

// Rule A8: one answers only to a holder that can understand it, and only once.
func TestNamedAnswers(t *testing.T) {
	sees := func(r Record) bool {
		now := Clock{}.Now()
		me := *self()
		me.Identity = processOfA
		return NewCandidate(&me, nil, now).Observe(Observation{Record: r, Asked: now, At: now, ResourceVersion: "100", Listed: true}, now).Named()
	}
	require.True(t, sees(fenced("b_1", termB, "50", "100", successor(podA))))
	require.True(t, sees(fenced("b_1", termB, "50", "100", preferring(processOfA))))
	require.False(t, sees(fenced("b_1", termB, "50", "100", preferring(podA), successor(processOfA))), "it has answered")
	require.False(t, sees(fenced("b_1", termB, "50", "100")))
	require.False(t, sees(fenced("b_1", termB, "50", "100", successor("invoicer-7d9f-b"))))
	require.False(t, sees(fenced(processOfA, termB, "50", "100", successor(podA))), "it holds the Lease")
	require.False(t, sees(fenced("b_1", termB, "50", "100", successor(podA), holder("client-go"))), "another elector does not look")
	require.False(t, sees(Record{}))
}

// Rule A8: a holder hands over only to an identity, and only while the record is its own term's.
func TestHandsOverToWhoAnswered(t *testing.T) {
	c := Claim{Token: fencing.Token{Scope: "shop/invoicer", Epoch: 50, Term: termB}, Record: fenced("b_1", termB, "50", "100")}
	require.Equal(t, processOfA, c.HandOver(fenced("b_1", termB, "50", "101", successor(processOfA))))
	require.Empty(t, c.HandOver(fenced("b_1", termB, "50", "101", successor(podA))), "nobody has answered")
	require.Empty(t, c.HandOver(fenced("b_1", termB, "50", "101", preferring(processOfA))), "nobody has answered")
	require.Empty(t, c.HandOver(fenced("b_1", termA, "40", "99", successor(processOfA))), "an earlier term's")
	require.Empty(t, c.HandOver(Record{}))
	mine := Claim{Token: c.Token, Record: fenced(processOfA, termB, "50", "100")}
	require.Empty(t, mine.HandOver(fenced(processOfA, termB, "50", "101", successor(processOfA))), "itself")
}
