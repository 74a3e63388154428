package singleton

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// kept is a term with its keeper and no loop: a test says what it is told, and
// when.
type kept struct {
	*testing.T
	*keeper
	cluster *singletontest.Cluster
	before  lease.Observation // of the Lease, not held yet
}

func inKeep(t *testing.T, f func(k kept)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{})
		defer c.Close()
		_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
		require.NoError(t, err)
		e, err := New(c.Client("a"), Config{Name: "invoicer", Namespace: "shop", Identity: "a", Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		r := newRun(t.Context(), e, nil)
		before, err := r.lock.List(t.Context())
		require.NoError(t, err)
		claim, err := r.lock.Claim(before, lease.EpochInputs{})
		require.NoError(t, err)
		k := r.take(claim, before.Record)
		require.NoError(t, r.acquiring(k))
		k.term = newTerm(t.Context(), &r.config, k.claim)
		defer k.stop(false)
		f(kept{t, k, c, before})
	})
}

// event is what the watch says of the Lease as it is now.
func (k kept) event() lease.Observation {
	o, err := k.r.lock.List(k.Context())
	require.NoError(k, err)
	o.Listed = false
	return o
}

// clear takes the holder away.
func (k kept) clear() {
	require.NoError(k, k.cluster.EditLease("shop", "invoicer", func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil }))
}

// A slow watch may tell a new active of a time when nobody held the Lease.
func TestEventFromBeforeTheTermEndsNothing(t *testing.T) {
	inKeep(t, func(k kept) {
		k.before.Listed = false
		k.observed(k.before)
		require.True(k, k.term.Valid())
		require.NoError(k, k.term.ctx.Err())

		k.clear()
		k.observed(k.event())
		require.False(k, k.term.Valid(), "a new event does")
		require.ErrorIs(k, k.term.cause(), ErrLost)
	})
}

// A watch may be silent. The renewal that meets the loss ends the term itself.
func TestRenewalThatMeetsALossEndsTheTerm(t *testing.T) {
	inKeep(t, func(k kept) {
		k.clear()
		k.again()
		k.answered(<-k.answers)
		require.False(k, k.term.Valid())
		require.ErrorIs(k, k.term.cause(), ErrLost)
	})
}

// The watch may be faster than the answer to a raise.
func TestOwnRaiseSeenBeforeItsAnswerEndsNothing(t *testing.T) {
	inKeep(t, func(k kept) {
		done := make(chan error, 1)
		k.ask(raiseRequest{ctx: k.Context(), mark: 900, done: done})
		synctest.Wait() // stored, answered, and not taken in yet
		k.observed(k.event())
		require.True(k, k.term.Valid())
		k.answered(<-k.answers)
		require.NoError(k, <-done)
		require.EqualValues(k, 901, k.term.Token().Epoch)
	})
}

// An acquire whose answer is taken in when its validity is over begins no term: the
// machine may have slept.
func TestAcquireHeardTooLate(t *testing.T) {
	for age, begins := range map[time.Duration]bool{10*time.Second - 1: true, 10 * time.Second: false, time.Minute: false} {
		inKeep(t, func(k kept) {
			time.Sleep(time.Minute)
			claim := k.claim
			claim.Sent = k.r.config.clock.Now().Add(-age)
			late := &keeper{r: k.r, ctx: k.ctx, due: time.NewTimer(time.Hour), answers: make(chan answer), inFlight: 1, claim: claim, from: k.before.Record}
			go func() { late.answers <- answer{claim: claim, flight: &flight{}} }()
			if err := k.r.acquiring(late); begins {
				require.NoError(k, err)
			} else {
				require.ErrorIs(k, err, lease.ErrUnavailable, age)
			}
		})
	}
}

// An answer that comes when the term is over prolongs nothing.
func TestLateAnswerRevivesNothing(t *testing.T) {
	inKeep(t, func(k kept) {
		time.Sleep(2 * time.Second)
		k.again()
		synctest.Wait() // answered, and not taken in yet
		k.term.lose(&EndError{Reason: ReasonExpired})
		k.answered(<-k.answers)
		require.False(k, k.term.Valid())
		require.ErrorIs(k, k.term.cause(), ErrLost)
		require.Equal(k, k.event().ResourceVersion, k.claim.Record.ResourceVersion(), "a release has to name what is left")
	})
}

// An event of which nobody can tell whether it is new is looked into at once.
func TestIncomparableEventHasTheLeaseRenewed(t *testing.T) {
	inKeep(t, func(k kept) {
		odd := k.event()
		odd.ResourceVersion = "x7"
		k.observed(odd)
		require.Equal(k, 1, k.inFlight)
		k.answered(<-k.answers)
		require.True(k, k.term.Valid())
	})
}
