package singleton_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// The backup is of before the holder's term, or of before the Lease: the term is
// over, and others wait for it.
func TestCacheAheadOfABackupFromBeforeTheTerm(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *world) *apiserver.Snapshot{
		"unheld": func(w *world) *apiserver.Snapshot { return w.Snapshot() },
		"missing": func(w *world) *apiserver.Snapshot {
			w.DeleteLease("shop", "invoicer")
			defer w.shipAnew(newLease())
			return w.Snapshot()
		},
		"held by another": func(w *world) *apiserver.Snapshot {
			_, x := w.replica("x", true)
			sleep(5 * second)
			defer func() { sleep(w.drain + 5*second) }()
			defer x.stop()
			return w.Snapshot()
		},
	} {
		for i, each := range []time.Duration{0, 1700 * time.Millisecond, 300 * time.Millisecond} {
			for j, cut := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " others each ", each, " cut ", cut), func(t *testing.T) {
					someWay(t, 2*i+j, func(w *world) {
						if each > 0 {
							w.others(each)
						}
						backup := before(w)
						w.start("a")
						w.start("b")
						sleep(21 * second)
						if cut {
							w.Link("a").BlackHole()
						}
						w.RestoreUnderCache(backup)
						sleep(10*second + w.drain)
						require.LessOrEqual(w, w.nobodyFor(10*time.Minute), 3*bound)
						n := len(w.started())
						w.times()
						sleep(2 * time.Minute)
						nobody, _, _ := w.times()
						require.Len(w, w.started(), n, "whoever took over keeps it; nobody for %v of 2 minutes", nobody)
					})
				})
			}
		}
	}
}

// A term that began on the restored store is kept: what a List shows from a cache
// that is ahead is no loss of it.
func TestTermOnARestoredStoreIsKept(t *testing.T) {
	t.Parallel()
	for _, lost := range []time.Duration{-3 * second, 0, second} {
		for _, each := range []time.Duration{0, 1700 * time.Millisecond} {
			t.Run(fmt.Sprint(lost, " others each ", each), func(t *testing.T) {
				everyWay(t, func(w *world) {
					w.start("a")
					w.start("b")
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
					sleep(time.Minute)
					require.Equal(w, []string{"a", "b"}, w.started())
				})
			})
		}
	}
}
