package singleton

import (
	"log/slog"
	"testing"
	"testing/synctest"

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
