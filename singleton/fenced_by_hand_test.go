package singleton_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

func raised(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "1000000" }

// An epoch raised by hand ends the term. The Lease still names it, so it is released
// once work has returned: another replica takes over at once, with a higher token.
func TestFencedByHandIsReleased(t *testing.T) {
	everyWay(t, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		w.edit(raised)
		sleep(w.drain)
		require.Less(w, w.nobodyFor(time.Minute), second)
		require.Equal(w, "b", w.who(), "a was told to go")
		token, _ := w.record().Token()
		require.EqualValues(w, 1_000_001, token.Epoch)
	})
}

// A lone replica goes on as a new term.
func TestFencedByHandAlone(t *testing.T) {
	everyWay(t, func(w *world) {
		w.start("a")
		sleep(5 * second)
		for range 20 {
			w.edit(func(x *coordv1.Lease) {
				x.Annotations[lease.AnnotationEpoch] += "0" // each ten times the one before
			})
			sleep(w.drain)
			require.Less(w, w.nobodyFor(time.Minute), second)
			sleep(second)
			if token, _ := w.record().Token(); token.Epoch > 1e12 {
				return
			}
		}
	})
}

// The same while the active drains for another reason.
func TestFencedByHandWhileDraining(t *testing.T) {
	inWorldWith(t, func(w *world) { w.drain = 4 * second }, func(w *world) {
		a := w.start("a")
		w.start("b")
		sleep(5 * second)
		a.Resign()
		sleep(second)
		w.edit(raised)
		sleep(3 * second)
		require.Less(w, w.nobodyFor(time.Minute), second)
		require.Equal(w, "b", w.who())
	})
}

// Whoever is cut off, or works past its validity, releases nothing: a lease duration is
// waited out.
func TestFencedByHandOutOfReach(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		w.Link("a").BlackHole()
		w.edit(raised)
		sleep(13 * second)
		require.Equal(w, []string{"a"}, w.started())
		sleep(5 * second)
		require.Equal(w, "b", w.who())
	})
}

// A mistyped epoch that is mended before work has returned is not written back, and the
// release is believed, whether others take the mistyped one for possible or not.
func TestFencedByAMistypedEpoch(t *testing.T) {
	for mistyped, nobody := range map[string]time.Duration{
		"1000000":             second,
		"5000000000000000000": 4 * second, // what was refused is tried again
	} {
		everyWay(t, func(w *world) {
			w.start("a")
			w.start("b")
			sleep(5 * second)
			was := w.record().Lease().Annotations[lease.AnnotationEpoch]
			w.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = mistyped })
			sleep(second / 2)
			w.edit(func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = was })
			sleep(w.drain)
			require.Less(w, w.nobodyFor(time.Minute), nobody)
		})
	}
}

// Whatever else is edited while work drains, its release is believed, unless nothing
// names the holder any more.
func TestFencedByHandAndEditedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		edit   func(x *coordv1.Lease)
		nobody time.Duration
	}{
		"raised again":           {func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "2000000" }, second},
		"lowered":                {func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "1" }, second},
		"epoch garbled":          {func(x *coordv1.Lease) { x.Annotations[lease.AnnotationEpoch] = "?" }, second},
		"epoch removed":          {func(x *coordv1.Lease) { delete(x.Annotations, lease.AnnotationEpoch) }, second},
		"term removed":           {func(x *coordv1.Lease) { delete(x.Annotations, lease.AnnotationTerm) }, second},
		"all annotations":        {func(x *coordv1.Lease) { x.Annotations = nil }, second},
		"labelled":               {func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "a"} }, second},
		"duration":               {func(x *coordv1.Lease) { x.Spec.LeaseDurationSeconds = new(int32(1)) }, second},
		"holder cleared by hand": {func(x *coordv1.Lease) { x.Spec.HolderIdentity = nil }, 17 * second},
	} {
		t.Run(name, func(t *testing.T) {
			inWorldWith(t, func(w *world) { w.drain = 2 * second }, func(w *world) {
				w.start("a")
				w.start("b")
				sleep(5 * second)
				w.edit(raised)
				sleep(second)
				w.edit(test.edit)
				sleep(second)
				require.Less(w, w.nobodyFor(time.Minute), test.nobody)
			})
		})
	}
}

// The release itself may be what meets the raised epoch.
func TestFencedByHandAsItReleases(t *testing.T) {
	inWorld(t, func(w *world) { // it does not watch
		w.Forbid("a", "watch")
		a := w.start("a")
		w.start("b")
		sleep(5 * second)
		w.edit(raised)
		a.Resign()
		synctest.Wait()
		require.Less(w, w.nobodyFor(time.Minute), second)
		require.Equal(w, "b", w.who())
	})
	inWorld(t, func(w *world) { // it is on its way
		a := w.start("a")
		w.start("b")
		sleep(5 * second)
		w.Link("a").Inject(delayed(100*time.Millisecond, 0, "patch"))
		a.Resign()
		sleep(50 * time.Millisecond)
		w.edit(raised)
		require.Empty(w, w.who())
		require.Less(w, w.nobodyFor(time.Minute), second)
	})
}
