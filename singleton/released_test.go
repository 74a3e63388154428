package singleton_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Something that labels the Lease right after its release costs a standby that polls
// no more than its poll: the label changes nothing about who is at work.
func TestReleaseLabelledBesideOneThatPolls(t *testing.T) {
	someWay(t, sharedDrains, func(w *world) {
		w.Forbid("b", "watch")
		_, a := w.replica("a", true)
		w.start("b")
		sleep(5 * second)
		a.stop()
		sleep(w.drain)
		require.True(w, w.record().Released())
		w.label("x")
		require.LessOrEqual(w, w.nobodyFor(20*second), 5*second)
		require.Equal(w, "b", w.who())
	})
}
