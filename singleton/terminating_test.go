package singleton_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/lease"
)

// A Lease that is deleted in the foreground, or that has a finalizer, is there
// until whoever is to see to it has: with a UID, versions and renewals. It is a
// Lease like any other, and its mark ends no term; its end does.

// terminate deletes the Lease, which stays.
func terminate(t *testing.T, s *scenario.Stage) {
	t.Helper()
	foreground := metav1.DeletePropagationForeground
	require.NoError(t, s.Client(operator).Leases(scenario.Namespace).Delete(t.Context(), scenario.Lease,
		metav1.DeleteOptions{PropagationPolicy: &foreground}))
	require.NotNil(t, s.Lease(scenario.Namespace, scenario.Lease).DeletionTimestamp)
}

// finalize is what the garbage collector does when it is done.
func finalize(s *scenario.Stage) {
	scenario.Edit(s, func(l *coordv1.Lease) { l.Finalizers = nil })
}

func TestTerminatingLeaseGoesOnUntilItIsGone(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		terminate(t, s)
		time.Sleep(time.Minute)
		undisturbed(t, s)
		now := s.Lease(scenario.Namespace, scenario.Lease)
		require.Equal(t, []string{metav1.FinalizerDeleteDependents}, now.Finalizers, "it is not ours to take off")
		require.NotNil(t, now.DeletionTimestamp)
		require.WithinDuration(t, time.Now(), lease.NewRecord(now).RenewTime(), 2*time.Second)

		finalize(s)
		require.True(t, s.Until(time.Second, func() bool { return len(s.Terms()) == 2 }), "its holder may create it anew, and take it")
		require.NotEqual(t, now.UID, s.Lease(scenario.Namespace, scenario.Lease).UID)
	})
}

func TestTerminatingLeaseChangesHands(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		terminate(t, s)
		s.Link("a").BlackHole() // it works on until its validity ends, and does not hear of what comes
		activeWithin(t, s, time.Second)
		require.True(t, s.Until(bound, func() bool { return len(s.Terms()) == 2 }))
		require.NotNil(t, s.Lease(scenario.Namespace, scenario.Lease).DeletionTimestamp, "taken over as it is")
	})
}

// TestTerminatingLeaseGoneUnderACutOffHolder: the end of a Lease proves nothing
// about who works under it.
func TestTerminatingLeaseGoneUnderACutOffHolder(t *testing.T) {
	onStage(t, scenario.Options{}, func(t *testing.T, s *scenario.Stage) {
		trio(t, s)
		terminate(t, s)
		s.Link("a").Freeze()
		finalize(s)
		time.Sleep(8 * time.Second)
		require.Equal(t, []string{"a"}, working(s), "it may until its validity ends")
		require.True(t, s.Until(bound, func() bool { return len(s.Terms()) == 2 }))
	})
}
