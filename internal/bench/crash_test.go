package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// A cut link must be a crash: the standby waits for a lease, which it would not
// after a release.
func TestCrashesReleaseNothing(t *testing.T) {
	t.Parallel()
	at := newDouble(t)
	released := make(chan string, 100)
	at.OnWrite(func(w apiserver.Write) {
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
