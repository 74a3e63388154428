package singleton_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
)

// Edits that take the Lease from a healthy holder must not cost a lease duration of
// nobody: it takes its seat back, as a new term.

func cleared() map[string]func(w *world) {
	return map[string]func(w *world){
		"deleted":                       func(w *world) { w.DeleteLease("shop", "invoicer") },
		"deleted and shipped again":     func(w *world) { w.shipAnew(newLease(), 10*time.Millisecond) },
		"replaced by the manifest":      func(w *world) { w.putBack(newLease()) },
		"replaced by another manifest":  func(w *world) { l := newLease(); l.Labels = map[string]string{"app": "invoicer"}; w.putBack(l) },
		"spec cleared":                  func(w *world) { w.edit(func(x *coordv1.Lease) { x.Spec = coordv1.LeaseSpec{} }) },
		"holderIdentity cleared":        func(w *world) { w.edit(func(x *coordv1.Lease) { x.Spec.HolderIdentity = nil }) },
		"holderIdentity set to nothing": func(w *world) { w.edit(func(x *coordv1.Lease) { nobody := ""; x.Spec.HolderIdentity = &nobody }) },
		"holder and annotations cleared": func(w *world) {
			w.edit(func(x *coordv1.Lease) { x.Spec.HolderIdentity, x.Annotations = nil, nil })
		},
	}
}

func TestClearedLeaseCostsNothing(t *testing.T) {
	t.Parallel()
	for name, edit := range cleared() {
		for _, standbys := range []string{"", "b", "bc"} {
			t.Run(name+"/"+standbys, func(t *testing.T) {
				for _, shared := range []bool{false, true} {
					inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
						w.start("a")
						for _, who := range standbys {
							w.start(string(who))
						}
						sleep(5 * second)
						var last int64
						for i := range 20 {
							token, _ := w.record().Token()
							require.Greater(w, token.Epoch, last, "tokens grow")
							last = token.Epoch
							edit(w)
							synctest.Wait() // a has seen it: what it does next counts
							require.Less(w, w.nobodyFor(time.Minute), second, "edit %d", i)
							sleep(time.Duration(i) * 777 * time.Millisecond) // anywhere between renewals, also right after
						}
						require.Equal(w, "a", w.who())
					})
				}
			})
		}
	}
}

// 20 edits within a second: somebody is at work again in a second after the last.
func TestClearedAgainAndAgain(t *testing.T) {
	for name, edit := range cleared() {
		t.Run(name, func(t *testing.T) {
			for _, each := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
				inWorld(t, func(w *world) {
					w.start("a")
					w.start("b")
					sleep(5 * second)
					for range 20 {
						edit(w)
						sleep(each)
					}
					require.Less(w, w.nobodyFor(time.Minute), second, "%v apart", each)
					sleep(30 * second)
					require.Equal(w, "a", w.who())
				})
			}
		})
	}
}

// Each kind once, in turn; work takes its time to return, and counts for that long.
func TestClearedWhileWorkDrains(t *testing.T) {
	someDrain := []time.Duration{100 * time.Millisecond, second, 4 * second}
	for _, drain := range someDrain {
		inWorldWith(t, func(w *world) { w.drain = drain }, func(w *world) {
			w.start("a")
			w.start("b")
			sleep(5 * second)
			for name, edit := range cleared() {
				edit(w)
				sleep(drain)
				require.Less(w, w.nobodyFor(time.Minute), second, name)
				sleep(3 * second)
			}
			require.Equal(w, "a", w.who())
		})
	}
}

// With requests that take their time it costs that time.
func TestClearedAtLongRoundTrips(t *testing.T) {
	for name, edit := range cleared() {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				const trip = 100 * time.Millisecond
				for _, who := range []string{"a", "b"} {
					w.Link(who).Inject(delayed(trip/2, trip/2))
				}
				w.start("a")
				w.start("b")
				sleep(10 * second)
				for range 20 {
					edit(w)
					sleep(10 * time.Millisecond)
					require.Less(w, w.nobodyFor(time.Minute), second+4*trip)
					sleep(2300 * time.Millisecond)
				}
			})
		})
	}
}

// A holder named by hand is meant: the seat is not taken back from it.
func TestSeatIsNotTakenBackFromAHolder(t *testing.T) {
	someWay(t, own, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		w.edit(takenByX)
		sleep(14 * second)
		require.Equal(w, []string{"a"}, w.started(), "x may be at work")
		w.edit(func(x *coordv1.Lease) { x.Spec.HolderIdentity = nil }) // x's, and not a's
		sleep(14 * second)
		require.Equal(w, []string{"a"}, w.started())
		sleep(6 * second)
		require.NotEmpty(w, w.who())
	})
}
