package singleton_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// The exception of an etcd that was restored from a backup, each form of it. The first
// is TestExceptionRestoredBesideAStandbyThatWasBehind.

// The backup shows the Lease as it was shipped, or released, and a history that proves
// it: to a new process nobody is at work.
func TestExceptionRestoredBesideANewProcess(t *testing.T) {
	for name, released := range map[string]bool{"shipped": false, "released": true} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				if released {
					r := l.run(l.elector("x"), idle)
					r.stop()
					require.NoError(l, r.wait(l))
				}
				c := &crew{}
				backup := l.Snapshot()
				l.run(l.elector("a"), c.work)
				sleep(5 * second)
				l.Link("a").BlackHole()
				l.Restore(backup, false)
				l.run(l.elector("n"), c.work)
				c.twoAtWork(l, second)
			})
		})
	}
}

// It is none where the history was marked compacted.
func TestRestoredAndCompactedBesideANewProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		backup := w.Snapshot()
		w.start("a")
		sleep(5 * second)
		w.Link("a").BlackHole()
		w.Restore(backup, true)
		w.start("n")
		sleep(20 * second)
		require.Equal(w, "n", w.who())
	})
}

// a's release is sent twice, because its answer is late. The first copy arrives after a restore, on
// the very record that it replaces. What was before it is not compacted. To a new process that
// proves that nobody is at work, though b has taken over from the second copy.
func TestExceptionRestoredUnderAReleaseOnItsWay(t *testing.T) {
	inLab(t, func(l lab) {
		c := &crew{}
		a := l.run(l.elector("a"), idle)
		l.run(l.elector("b"), c.work)
		sleep(5 * second)
		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"patch"}, Count: 1, DelayBefore: 4 * second})
		backup := l.Snapshot()
		a.stop()
		sleep(3 * second)
		require.NoError(l, a.wait(l))
		require.EqualValues(l, 1, c.working.Load(), "b has taken over")
		l.Link("b").BlackHole()
		l.Restore(backup, true)
		sleep(500 * time.Millisecond)
		require.NotEmpty(l, l.record().Holder(), "the first copy has not arrived")
		l.run(l.elector("n"), c.work)
		c.twoAtWork(l, second)
	})
}

// b has sent its acquire, and is not shown that a was faster. What it was decided upon
// is put back, to the letter, before it arrives.
func TestExceptionRestoredUnderAnAcquireOnItsWay(t *testing.T) {
	inWorld(t, func(w *world) {
		acquireUnderARestore(w, func(backup *apiserver.Snapshot) {
			w.Link("a").BlackHole() // else it would learn of it now
			w.Restore(backup, true)
		})
		w.forget()
		sleep(20 * second)
		_, _, more := w.times()
		require.Less(w, more, 10*second, "until a's term would have run out")
	})
}

// acquireUnderARestore has b begin beside a.
func acquireUnderARestore(w *world, restore func(*apiserver.Snapshot)) {
	backup := w.Snapshot()
	w.Forbid("b", "watch")
	w.Link("b").Inject(apiserver.Fault{Verbs: []string{"patch"}, Count: 1, DelayBefore: 500 * time.Millisecond})
	w.start("b")
	w.start("a")
	require.Equal(w, "a", w.who(), "a was faster")
	sleep(200 * time.Millisecond)
	restore(backup)
	sleep(400 * time.Millisecond)
	require.Equal(w, []string{"a", "b"}, w.started())
	require.NotEmpty(w, w.overlaps, "the exception is none any more: take it from the list in internal/docs/guide/guarantees.md")
}

// The API server goes on running, so that a's watch does not break, nor show b's term.
// When the Lease is deleted or cleared, it shows that right after a's own record: a
// takes its seat back, beside b.
func TestExceptionForgottenHolderTakesItsSeatBack(t *testing.T) {
	for name, edit := range map[string]func(w *world){
		"deleted": func(w *world) { w.DeleteLease("shop", "invoicer") },
		"cleared": func(w *world) { w.putBack(newLease()) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				acquireUnderARestore(w, w.RestoreUnderCache)
				w.Link("b").BlackHole()
				w.forget()
				edit(w)
				sleep(second)
				require.Equal(w, []string{"a", "b", "a"}, w.started())
				require.NotEmpty(w, w.overlaps, "the exception is none any more: take it from the list in internal/docs/guide/guarantees.md")
				w.forget()
			})
		})
	}
}
