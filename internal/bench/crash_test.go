package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// A cut link must be a crash: the standby waits for a lease, which it would not
// after a release.
func TestCrashesReleaseNothing(t *testing.T) {
	t.Parallel()
	at := newDouble(t)
	released := make(chan string, 100)
	at.OnWrite(func(w singletontest.Write) {
		if before, after := w.Leases(); holder(before) == "a" && holder(after) == "" {
			released <- before.Name
		}
	})
	run := crashRun{leases: 4, timing: frozenTiming()}
	our, theirs := run.measure(t, at, ours()), run.measure(t, at, peer())
	require.Empty(t, released)
	for _, s := range []spread{our, theirs} {
		require.Len(t, s, 4)
		require.Greater(t, s.min(), run.timing.LeaseDuration-2*run.timing.RetryPeriod)
	}
}

func TestCrowd(t *testing.T) {
	t.Parallel()
	const leases = 3
	at := newDouble(t)
	for i := range leases {
		at.createLease(t, crowdLease("hotseat", i))
	}
	join := func(name string) *process {
		return startCrowd(t, crowdSpec{Elector: "hotseat", Name: name, Host: at.url, Token: name, Leases: leases})
	}
	a := join("a")
	require.Equal(t, 1, a.must("used").Use.Connections)
	for range leases {
		a.must("started")
	}
	b := join("b")
	base := b.must("used").Use
	lease := crowdLease("hotseat", 1)
	for _, name := range []string{crowdLease("hotseat", 0), crowdLease("hotseat", 1), crowdLease("hotseat", 2)} {
		_, ok := at.WaitLease(scenario.Namespace, name, 10*time.Second, func(l *coordv1.Lease) bool { return holder(l) == "a" })
		require.True(t, ok)
	}
	b.say("use")
	use := b.must("used").Use
	require.Greater(t, use.Goroutines, base.Goroutines)
	require.Positive(t, use.CPU)
	require.GreaterOrEqual(t, use.Connections, leases, "HTTP/1 here: one for each watch")
	a.say(lease)
	stopping, started := a.must("stopping"), b.must("started")
	require.Equal(t, lease, stopping.Lease)
	require.Equal(t, lease, started.Lease)
	require.True(t, started.At.After(stopping.At))
}
