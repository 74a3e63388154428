package singleton_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

// Leases replaced or shipped anew, beside processes that do not know what was there.

// The active is connected and stops within its stop budget; that a Lease names
// nobody does not say that nobody ever held it.
func TestReplacedWithTheManifestBesideANewProcess(t *testing.T) {
	later := map[string]func(w *world){
		"at once":         func(*world) {},
		"after a second":  func(*world) { sleep(second) },
		"labelled, twice": func(w *world) { w.label("1"); w.label("2") },
	}
	for i, name := range slices.Sorted(maps.Keys(later)) {
		later := later[name]
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(w *world) {
				w.start("a")
				sleep(5 * second)
				w.putBack(newLease())
				later(w)
				w.start("n")
				sleep(35 * second)
				require.NotEmpty(w, w.who())
			})
		})
		t.Run(name+", cut off", func(t *testing.T) {
			someWay(t, i, func(w *world) {
				w.start("a")
				sleep(5 * second)
				w.Link("a").BlackHole()
				w.putBack(newLease())
				later(w)
				w.start("n")
				sleep(35 * second)
				require.Equal(w, "n", w.who())
			})
		})
		t.Run(name+", with a standby", func(t *testing.T) {
			someWay(t, i+1, func(w *world) {
				w.start("a")
				w.start("b")
				sleep(5 * second)
				w.putBack(newLease())
				later(w)
				w.start("n")
				sleep(35 * second)
				require.NotEmpty(w, w.who())
			})
		})
	}
}

func (w *world) label(value string) {
	w.edit(func(x *coordv1.Lease) { x.Labels = map[string]string{"app": value} })
}

// A history that the server has compacted away proves nothing.
func TestReplacedWithTheManifestAndCompacted(t *testing.T) {
	someWay(t, sharedDrains, func(w *world) {
		w.start("a")
		sleep(5 * second)
		w.putBack(newLease())
		w.Compact()
		w.start("n")
		sleep(35 * second)
		require.NotEmpty(w, w.who())
	})
}

// What costs nothing must stay so: a Lease just shipped, and a handover.
func TestShippedLeaseIsTakenAtOnce(t *testing.T) {
	someWay(t, shared, func(w *world) {
		w.label("by-hand")
		w.start("a")
		require.True(w, w.on("a"))
	})
}

// The seat of one whose Lease was deleted is not taken back beside a successor that
// it was not shown.
func TestReseatedBesideOneThatWasNotShown(t *testing.T) {
	for _, c := range gaps()[:4] {
		t.Run(c.name, func(t *testing.T) {
			everyWay(t, func(w *world) {
				w.start("a")
				w.start("c")
				sleep(4100 * time.Millisecond) // a renewed a moment ago
				w.Link("a").Inject(apiserver.Fault{Verbs: []string{"list", "get", "create", "update", "patch"}, Count: 6, LoseRequest: true})
				w.DeleteLease("shop", "invoicer")
				sleep(time.Millisecond) // all see it
				c.begin(w, "a")
				c.begin(w, "c")
				sleep(w.drain + 200*time.Millisecond)
				w.shipAnew(newLease())
				w.start("b")
				sleep(second)
				w.Link("b").BlackHole()
				w.DeleteLease("shop", "invoicer")
				c.end(w, "a")
				c.end(w, "c")
				sleep(40 * second)
				require.NotEmpty(w, w.who())
			})
		})
	}
}

// The same by an edit: cleared under a, taken by b while a was not shown, cleared again.
func TestReseatedOverASuccessorsClearedLease(t *testing.T) {
	for _, c := range gaps()[:4] {
		t.Run(c.name, func(t *testing.T) {
			everyWay(t, func(w *world) {
				w.start("a")
				b := w.observe("b")
				sleep(4100 * time.Millisecond)
				w.Link("a").Inject(apiserver.Fault{Verbs: []string{"list", "get", "create", "update", "patch"}, Count: 6, LoseRequest: true})
				w.putBack(newLease())
				c.begin(w, "a")
				sleep(w.drain + 200*time.Millisecond)
				w.shipAnew(newLease())
				w.start("n")
				b.SetEligible(true)
				sleep(second)
				w.Link("n").BlackHole()
				w.putBack(newLease())
				c.end(w, "a")
				sleep(40 * second)
				require.NotEmpty(w, w.who())
			})
		})
	}
}

// A release speaks for the one that released. One that took a Lease shipped anew had
// waited for nobody: that much is granted, and no more.
func TestReleasedByOneThatKnewNothing(t *testing.T) {
	for _, c := range gaps()[:5] {
		t.Run(c.name, func(t *testing.T) {
			everyWay(t, func(w *world) {
				c.before(w, "d")
				w.start("a")
				sleep(3 * second)
				w.start("d") // sees a's term
				sleep(3100 * time.Millisecond)
				w.Link("a").BlackHole()
				c.begin(w, "d")
				w.shipAnew(newLease())
				n := w.start("n")
				require.True(w, w.on("n"))
				leave(n)
				sleep(w.drain + 100*time.Millisecond)
				w.forget() // n beside a
				c.end(w, "d")
				sleep(35 * second)
				require.Equal(w, "d", w.who())
			})
		})
	}
}

func leave(e *singleton.Elector) {
	e.SetEligible(false)
	e.Resign()
}

// A takeover on another UID, by one that knew nothing, proves as little: it must not
// shorten the wait for the one before.
func TestTakenOnAnotherUID(t *testing.T) {
	t.Parallel()
	for _, c := range gaps()[:5] {
		for _, times := range []int{1, 2} { // UIDs change in the gap
			t.Run(fmt.Sprint(c.name, " ", times), func(t *testing.T) {
				everyWay(t, func(w *world) {
					c.before(w, "d")
					w.start("a", func(c *singleton.Config) { c.Timing.LeaseDuration, c.Timing.RenewDeadline = 30*second, 24*second })
					sleep(3 * second)
					w.start("d") // knows that it has to wait 30 s for a
					sleep(3100 * time.Millisecond)
					w.Link("a").BlackHole()
					c.begin(w, "d")
					for range times {
						w.shipAnew(newLease())
					}
					w.start("n")
					require.True(w, w.on("n"))
					sleep(100 * time.Millisecond)
					w.Link("n").Cut() // n works until it expires
					c.end(w, "d")
					w.forget() // n beside a
					sleep(60 * second)
					require.Equal(w, "d", w.who())
				})
			})
		}
	}
}
