package singleton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
)

// A store that lost its last writes under an API server that goes on running: the
// server's cache is ahead, and versions come to mean other records.

// others writes other Leases all the time, as in any cluster, so that the store's
// versions pass the cache's in the end.
func (w *world) others(each time.Duration) {
	other := newLease()
	other.Name = "other"
	if w.Lease("shop", "other") == nil {
		_, err := w.CreateLease(other)
		require.NoError(w, err)
	}
	n := 0
	var again func()
	again = func() {
		n++
		_ = w.EditLease("shop", "other", func(x *coordv1.Lease) { x.Labels = map[string]string{"n": fmt.Sprint(n)} })
		w.mu.Lock()
		closing := w.closing
		w.mu.Unlock()
		if !closing {
			time.AfterFunc(each, again)
		}
	}
	time.AfterFunc(each, again)
}

// A connected holder keeps the Lease, at whatever version its renewals come to lie.
func TestCacheAheadOfItsStore(t *testing.T) {
	t.Parallel()
	for i, age := range []time.Duration{2 * second, 5 * second, 10 * second, 21 * second, 45 * second} {
		for j, each := range []time.Duration{0, 7 * second, 1700 * time.Millisecond, 300 * time.Millisecond} {
			t.Run(fmt.Sprint(age, " lost, others each ", each), func(t *testing.T) {
				someWay(t, i+j, func(w *world) {
					w.start("a")
					w.start("b")
					if each > 0 {
						w.others(each)
					}
					sleep(20 * second)
					backup := w.Snapshot()
					sleep(age)
					w.RestoreUnderCache(backup)
					sleep(2 * time.Minute) // long enough for the store to pass the cache
					require.Equal(w, []string{"a"}, w.started(), "never from a connected holder")
					w.Link("a").BlackHole()
					sleep(10*second + w.drain)
					require.LessOrEqual(w, w.nobodyFor(10*time.Minute), 2*bound)
					require.Equal(w, "b", w.who(), "a standby takes over in the end")
				})
			})
		}
	}
}

// The holder is lost with the writes, before them or after.
func TestCacheAheadAndTheHolderLost(t *testing.T) {
	t.Parallel()
	for i, lost := range []time.Duration{-3 * second, 0, second, 8 * second, 14 * second, 20 * second} {
		for j, each := range []time.Duration{0, 1700 * time.Millisecond, 300 * time.Millisecond} {
			t.Run(fmt.Sprint(lost, " others each ", each), func(t *testing.T) {
				for k, standbys := range []string{"b", "bc"} {
					someWay(t, i+j+2*k, func(w *world) {
						w.start("a")
						for _, who := range standbys {
							w.start(string(who))
						}
						if each > 0 {
							w.others(each)
						}
						sleep(20 * second)
						backup := w.Snapshot()
						sleep(15 * second)
						if lost < 0 {
							w.Link("a").BlackHole()
							sleep(-lost)
						}
						w.RestoreUnderCache(backup)
						if lost >= 0 {
							sleep(lost)
							w.Link("a").BlackHole()
						}
						sleep(10*second + w.drain)
						require.LessOrEqual(w, w.nobodyFor(10*time.Minute), 2*bound)
						require.NotEqual(w, "a", w.who())
						sleep(time.Minute)
					})
				}
			})
		}
	}
}
