package protocol

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// script tells a term what happens, and checks what it does about that. Its times are seconds
// after the term's first write.
type script struct {
	*testing.T
	t     *Tenure
	start Instant
	now   Instant
}

// self has the defaults: 15, 10 and 2 s.
func self() *Self {
	return &Self{Identity: "a_1", Timing: lease.Timing{}.WithDefaults(), Draw: func(time.Duration) time.Duration { return 0 }}
}

const termOfA, termC = "dddddddddddddddddddddddddddddddd", "cccccccccccccccccccccccccccccccc"

// acquiring begins to take a Lease that a release has left in version 100.
func acquireIn(t *testing.T) *script {
	now := Clock{}.Now()
	from := fenced("", termA, "40", "100", release("99"))
	c := NewCandidate(self(), nil, now).Observe(Observation{Record: from, Asked: now, At: now, ResourceVersion: "100", Listed: true}, now)
	claim := Claim{Token: fencing.Token{Scope: "shop/invoicer", Epoch: 101, Term: termOfA}}
	claim.Record = fenced("a_1", termOfA, "101", "100")
	s := &script{T: t, t: c.Take(claim, from), start: now, now: now}
	s.due(WriteTake, 0)
	return s
}

// holding has taken the Lease in version 101, at once.
func holding(t *testing.T) *script {
	s := acquireIn(t)
	require.True(t, s.acked(1, 0, 101).Prolonged)
	return s
}

func (s *script) at(seconds float64) {
	s.now = s.start.Add(time.Duration(seconds * float64(time.Second)))
}

// due demands that this is sent then.
func (s *script) due(w Write, at float64) int {
	s.Helper()
	s.at(at)
	require.False(s, s.t.Due().After(s.now), "it is not due yet")
	var step Step
	s.t, step = s.t.Next(s.now)
	require.Equal(s, w, step.Send)
	return step.ID
}

// record of the term in that version.
func (s *script) record(version int, edits ...func(*coordv1.Lease)) Record {
	return fenced("a_1", termOfA, strconv.FormatInt(s.t.claim.Token.Epoch, 10), strconv.Itoa(version), edits...)
}

// acked answers a write that was sent then.
func (s *script) acked(id int, sent float64, version int) Step {
	claim := s.t.claim
	claim.Sent = s.start.Add(time.Duration(sent * float64(time.Second)))
	claim.Record = s.record(version)
	return s.answer(Answer{ID: id, Claim: claim, Took: s.now.Sub(claim.Sent)})
}

func (s *script) failed(id int, err error) Step {
	return s.answer(Answer{ID: id, Claim: s.t.claim, Err: err})
}

func (s *script) answer(a Answer) (step Step) {
	s.t, step = s.t.Answered(a, s.now)
	return step
}

func (s *script) sees(r Record, version int, listed bool) (step Step) {
	s.t, step = s.t.Observe(Observation{Record: r, Asked: s.now, At: s.now, ResourceVersion: strconv.Itoa(version), Listed: listed}, s.now)
	return step
}

func (s *script) validUntil(seconds float64) {
	s.Helper()
	require.InDelta(s, seconds, s.t.ValidUntil().Sub(s.start).Seconds(), 0)
}

// Rules T1, W2: renewals count from their sending, whatever order their answers come in.
func TestTenureCountsFromSending(t *testing.T) {
	s := holding(t)
	s.validUntil(10)
	first := s.due(WriteRenew, 2)
	s.at(4)
	require.Zero(t, s.dueNothing(), "the answer is waited for: W2")
	second := s.due(WriteRenew, 4.5)
	s.at(5)
	require.Equal(t, []int{first}, s.acked(second, 4.5, 103).End, "the one before is of no use: W3")
	s.validUntil(14.5)
	require.Equal(t, Step{}, s.failed(first, context.Canceled), "and its failure is none")
	s.validUntil(14.5)
}

// dueNothing is a look at the time which sends nothing.
func (s *script) dueNothing() Write {
	var step Step
	s.t, step = s.t.Next(s.now)
	return step.Send
}

// Rule T2: an answer that comes when the term is over prolongs nothing; but the release has to
// name what it left.
func TestLateAnswerRevivesNothing(t *testing.T) {
	for name, end := range map[string]func(s *script){
		"expired": func(s *script) { s.at(10) },
		"ended":   func(s *script) { s.t = s.t.End() },
		"lost":    func(s *script) { require.NotNil(s, s.sees(fenced("b_1", termB, "200", "200"), 200, false).Lost) },
	} {
		t.Run(name, func(t *testing.T) {
			s := holding(t)
			renewal := s.due(WriteRenew, 2)
			s.at(9)
			end(s)
			require.False(t, s.acked(renewal, 2, 250).Prolonged)
			require.Zero(t, s.t.Due(), "nothing is due any more")
			require.Equal(t, "250", s.t.Claim().Record.ResourceVersion())
			require.Equal(t, over, s.t.stage)
		})
	}
}

// Rule T7: an acquire whose answer is taken in when its validity is over begins no term. The
// machine may have slept.
func TestAcquireHeardTooLate(t *testing.T) {
	for age, begins := range map[float64]bool{10 - 1e-9: true, 10: false, 60: false} {
		s := acquireIn(t)
		s.at(age)
		require.Equal(t, begins, s.acked(1, 0, 101).Prolonged, age)
	}
}

// Rule A4: an unanswered acquire is repeated, each try beside the one before; a clear answer ends
// it.
func TestAcquireIsRepeated(t *testing.T) {
	s := acquireIn(t)
	s.at(1)
	require.ErrorIs(t, s.failed(1, lease.ErrUnavailable).NoAnswer, lease.ErrUnavailable)
	second := s.due(WriteAgain, 1.5)
	third := s.due(WriteAgain, 3.5)
	s.at(4)
	require.ErrorIs(t, s.failed(second, lease.ErrConflict).Failed, lease.ErrConflict)
	require.True(t, s.acked(third, 3.5, 101).Prolonged, "whatever the loop makes of that")
	s.validUntil(13.5)
}

// Rule H4: what the watch shows ends the term at once, if it is newer than the term's own write.
func TestEventFromBeforeTheTermEndsNothing(t *testing.T) {
	s := holding(t)
	s.at(1)
	require.Equal(t, Step{}, s.sees(fenced("", termA, "40", "100", release("99")), 100, false), "a slow watch")
	require.Equal(t, held, s.t.stage)
	require.Equal(t, LossCleared, s.sees(fenced("", termOfA, "101", "102"), 102, false).Lost.Loss)
	require.Equal(t, over, s.t.stage)
}

// Rule H4: a watch may be silent. The renewal that meets the loss ends the term itself.
func TestRenewalThatMeetsALossEndsTheTerm(t *testing.T) {
	s := holding(t)
	renewal := s.due(WriteRenew, 2)
	lost := &LostError{Loss: LossTaken, Record: fenced("b_1", termB, "200", "200")}
	step := s.failed(renewal, lost)
	require.Equal(t, lost, step.Lost)
	require.Equal(t, over, s.t.stage)
	require.False(t, s.t.Fenced())
}

// Rule E4: an epoch that a hand has raised ends the term, which is still to be released.
func TestFencedTenureIsToBeReleased(t *testing.T) {
	s := holding(t)
	s.at(1)
	require.Equal(t, LossFenced, s.sees(fenced("a_1", termOfA, "900", "102"), 102, false).Lost.Loss)
	require.True(t, s.t.Fenced())
}

// Rule E5: the watch may be faster than the answer to a raise. Its own two epochs end no term;
// any other does.
func TestOwnRaiseSeenBeforeItsAnswerEndsNothing(t *testing.T) {
	s := holding(t)
	next, id, ok := s.t.Raise(900, s.now)
	require.True(t, ok)
	_, _, again := next.Raise(950, s.now)
	require.False(t, again, "one at a time")
	s.t = next
	s.at(1)
	require.Equal(t, Step{}, s.sees(fenced("a_1", termOfA, "901", "102"), 102, false))
	beside := s.due(WriteRenew, 6)
	require.Equal(t, Step{}, s.failed(beside, &LostError{Loss: LossFenced, Record: fenced("a_1", termOfA, "901", "103")}), "a renewal that met it")
	other, step := s.t.Observe(Observation{Record: fenced("a_1", termOfA, "950", "104"), At: s.now, ResourceVersion: "104"}, s.now)
	require.Equal(t, LossFenced, step.Lost.Loss)
	require.True(t, other.Fenced())

	claim := s.t.Claim()
	claim.Token.Epoch, claim.Sent, claim.Record = 901, s.start, fenced("a_1", termOfA, "901", "103")
	require.True(t, s.answer(Answer{ID: id, Claim: claim}).Prolonged)
	require.EqualValues(t, 901, s.t.Claim().Token.Epoch)
}

// Rule R7: an event of which nobody can tell whether it is new is looked into at once.
func TestIncomparableEventHasTheLeaseRenewed(t *testing.T) {
	s := holding(t)
	s.at(1)
	var step Step
	s.t, step = s.t.Observe(Observation{Record: s.record(101), At: s.now, ResourceVersion: "x7"}, s.now)
	require.Equal(t, WriteRenew, step.Send)
	require.Equal(t, 1, s.t.InFlight())
}

// Rule R5: a List may come from a cache that is ahead of its store. A renewal tells, at once.
func TestLossThatAListShowsIsLookedInto(t *testing.T) {
	s := holding(t)
	s.due(WriteRenew, 2)
	s.at(3)
	require.Equal(t, Step{}, s.sees(fenced("b_1", termB, "200", "200"), 200, true))
	s.due(WriteRenew, 3)
}

// Rule F6: what nobody answers is told while there is time; what was refused was answered.
func TestUnansweredRenewals(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(s *script, id int)
		want   time.Duration
	}{
		"unanswered": {func(*script, int) {}, 7 * time.Second},
		"refused": {func(s *script, id int) {
			s.failed(id, &lease.RequestError{Verb: "patch", Kind: lease.ErrForbidden, Err: errHand})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := holding(t)
			test.answer(s, s.due(WriteRenew, 2))
			test.answer(s, s.due(WriteRenew, 4.5))
			s.at(7)
			next, step := s.t.Next(s.now)
			require.Equal(t, WriteRenew, step.Send)
			require.Equal(t, test.want, step.Silent)
			require.Positive(t, next.InFlight())
		})
	}
}

// Rule H3: guards are told again when a renewal goes through after an outage.
func TestTenureAnnouncesAfterAnOutage(t *testing.T) {
	s := holding(t)
	first := s.due(WriteRenew, 2)
	require.False(t, s.acked(first, 2, 102).Announce)
	second := s.due(WriteRenew, 4)
	require.ErrorIs(t, s.failed(second, lease.ErrUnavailable).Failed, lease.ErrUnavailable)
	third := s.due(WriteRenew, 5)
	require.True(t, s.acked(third, 5, 103).Announce)
}

// Rule F4: a watch that tells of no renewal is not relied on.
func TestTenureReplacesASilentWatch(t *testing.T) {
	s := holding(t)
	for i := 1; i <= silentMost; i++ {
		id := s.due(WriteRenew, float64(2*i))
		require.Equal(t, i == silentMost, s.acked(id, float64(2*i), 101+i).Rewatch)
	}
}

// Rule W8: where the Lease can only be updated, one write waits for the other.
func TestUpdatesWaitForEachOther(t *testing.T) {
	s := holding(t)
	s.t = s.t.Updating(true)
	s.due(WriteRenew, 2)
	s.due(Nothing, 6)
}

// What cannot happen is refused, loudly.
func TestIllegalTransitionsPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := acquireIn(t)
		c := NewCandidate(self(), nil, s.now)
		require.Panics(t, func() { c.Acquired(s.t, s.now) }, "no answer has acknowledged it")
		s = holding(t)
		require.Panics(t, func() { c.Vacated(s.t) }, "the term is not over")
		require.Panics(t, func() { s.acked(7, 0, 102) }, "nobody sent that")
		require.Panics(t, func() { s.acked(1, 0, 102) }, "it was answered")
	})
}

// A Tenure is a value: what is done with one leaves it as it was.
func TestTenureIsAValue(t *testing.T) {
	s := holding(t)
	s.due(WriteRenew, 2)
	s.due(WriteRenew, 4.5)
	before := *s.t
	flights := append([]flight(nil), before.flights...)
	s.at(5)
	was := s.t
	s.acked(3, 4.5, 103)
	s.t = was
	s.sees(fenced("b_1", termB, "200", "200"), 200, true)
	_, _, _ = was.Raise(900, s.now)
	was.End()
	require.Equal(t, before, *was)
	require.Equal(t, flights, was.flights)
}

var errHand = errors.New("forbidden")
