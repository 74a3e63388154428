package singleton_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A store that is restored may count from lower versions again. The active's term goes on, and what
// it writes then is later than what it wrote before: it hands over as ever, and sees edits at once.
func TestRestoredToLowerVersions(t *testing.T) {
	for _, after := range []time.Duration{100 * time.Millisecond, 3 * second, time.Minute} {
		everyWay(t, func(w *world) {
			_, a := w.replica("a", true)
			w.start("b")
			sleep(20 * second)
			backup := w.Snapshot()
			sleep(time.Minute) // versions go up
			w.Restore(backup, false)
			sleep(2*second + after) // a has renewed
			require.Equal(w, "a", w.who())
			w.ForgetRequests()
			a.stop()
			sleep(w.drain)
			require.Less(w, w.nobodyFor(time.Minute), second, "released")
			require.LessOrEqual(w, w.CountRequests("a", "list"), 1, "it knows what it wrote")
			require.Equal(w, "b", w.who())
		})
	}
}

func TestEditSeenAfterARestoreToLowerVersions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a")
		sleep(20 * second)
		backup := w.Snapshot()
		sleep(time.Minute)
		w.Restore(backup, false)
		sleep(5*second + 100*time.Millisecond)
		require.Equal(w, "a", w.who())
		edited := w.stored()
		edited.Spec.HolderIdentity = new("x")
		w.putBack(edited)
		synctest.Wait()
		require.Empty(w, w.who(), "the watch has shown it, no renewal is due yet")
	})
}
