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

// A slow watch may tell a new active of a time when nobody held the Lease.
func TestEventFromBeforeTheTermEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{})
		defer c.Close()
		_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
		require.NoError(t, err)
		e, err := New(c.Client("a"), Config{Name: "invoicer", Namespace: "shop", Identity: "a", Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		r := newRun(t.Context(), e, nil)
		defer r.hooks.stop()
		before, err := r.lock.List(t.Context())
		require.NoError(t, err)
		claim, err := r.lock.Acquire(t.Context(), before, lease.EpochInputs{})
		require.NoError(t, err)
		term := newTerm(t.Context(), &r.config, claim)
		k := r.keep(term, claim)
		defer k.stop()

		before.Listed = false
		k.observed(before)
		require.True(t, term.Valid())
		require.NoError(t, term.ctx.Err())

		require.NoError(t, c.EditLease("shop", "invoicer", func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil }))
		after, err := r.lock.List(t.Context())
		require.NoError(t, err)
		after.Listed = false
		k.observed(after)
		require.False(t, term.Valid(), "a new event does")
		require.ErrorIs(t, term.cause(), ErrLost)
	})
}
