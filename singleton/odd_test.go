package singleton_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Numbers written by hand: a duration is believed up to what an elector wrote, an
// epoch far above all others is refused before a guard takes it for its mark.

func TestLengthenedWhileNobodyRenews(t *testing.T) {
	for _, seconds := range []int32{math.MaxInt32, 1 << 30, 86400, 3600, 60} {
		for _, d := range gaps()[:4] {
			for _, when := range []string{"after", "before", "long after"} {
				someWay(t, own, func(w *world) {
					w.start("a")
					w.start("b")
					sleep(5 * second)
					lengthen := func() { w.edit(func(x *coordv1.Lease) { x.Spec.LeaseDurationSeconds = &seconds }) }
					if when == "before" {
						lengthen()
					}
					d.begin(w, "a")
					if when == "after" {
						lengthen()
					}
					if when == "long after" {
						sleep(8 * second)
						lengthen()
					}
					sleep(10*second + w.drain)
					require.LessOrEqual(w, w.nobodyFor(25*time.Hour), 24*second, "%d s, %s", seconds, when)
					require.Equal(w, "b", w.who())
				})
			}
		}
	}
}

// A new process finds the edited one, and knows no better: an hour at most.
func TestLengthenedSeenFirst(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start("a")
		sleep(5 * second)
		w.Link("a").BlackHole()
		w.edit(func(x *coordv1.Lease) { d := int32(math.MaxInt32); x.Spec.LeaseDurationSeconds = &d })
		w.start("n")
		require.LessOrEqual(w, w.nobodyFor(25*time.Hour), 25*time.Hour)
		sleep(11 * second)
		require.LessOrEqual(w, w.nobodyFor(25*time.Hour), lease.MaxLeaseDuration+bound)
	})
}

// A holder's own longer duration is believed.
func TestLongerDurationOfTheHolder(t *testing.T) {
	everyWay(t, func(w *world) {
		w.start("a", func(c *singleton.Config) { c.Timing.LeaseDuration, c.Timing.RenewDeadline = 60*second, 50*second })
		w.start("b")
		sleep(5 * second)
		w.Link("a").BlackHole()
		sleep(50 * second)
		require.Empty(w, w.started()[1:])
		sleep(30 * second)
		require.Equal(w, "b", w.who())
	})
}

func epoch(n int64) func(x *coordv1.Lease) {
	return func(x *coordv1.Lease) {
		if x.Annotations == nil {
			x.Annotations = map[string]string{}
		}
		x.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(n, 10)
	}
}

// One edit must not make the last number there is a guard's mark: lowering it on
// the Lease mends everything.
func TestOneEditBricksNoGuard(t *testing.T) {
	for _, n := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 2, math.MaxInt64/2 + 1, 1 << 62} {
		poison(t, n)
	}
}

// poison writes an epoch by hand, and lowers it a minute later.
func poison(t *testing.T, n int64) {
	for _, connected := range []bool{true, false} {
		someWay(t, sharedDrains, func(w *world) {
			guard := memory(w)
			with := func(c *singleton.Config) {
				c.Guards = []fencing.Guard{guard}
				c.Fencing.MaxRaise = 1 << 40
				c.Fencing.Floor = func(ctx context.Context) (int64, error) {
					mark, err := guard.Mark(ctx, fencing.Scope("shop", "invoicer"))
					return mark.Epoch, err
				}
			}
			w.start("b", with)
			w.start("a", with)
			sleep(5 * second)
			first := w.who()
			if !connected {
				w.Link(first).BlackHole()
			}
			w.edit(epoch(n))
			sleep(time.Minute)
			w.edit(epoch(1000))
			require.LessOrEqual(w, w.nobodyFor(time.Hour), 20*second, "%d", n)
			w.Link(first).Heal()
			sleep(30 * second)
			require.NotEmpty(w, w.who())
			w.Link(w.who()).BlackHole()
			sleep(30 * second)
			require.NotEmpty(w, w.who(), "%d: and another one can go on", n)
		})
	}
}

// Deleting the Lease mends it as well.
func TestPoisonedLeaseDeleted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		w.edit(epoch(math.MaxInt64 - 1))
		sleep(30 * second)
		w.DeleteLease("shop", "invoicer")
		require.LessOrEqual(w, w.nobodyFor(time.Hour), 20*second)
	})
}

// Nothing that can be written may panic, end a Run, or keep the seat empty for
// good; log lines stay one each.
func TestOddRecords(t *testing.T) {
	t.Parallel()
	hostile := "x\nlevel=ERROR msg=\"injected\"\x1b[31m\u202e" + strings.Repeat("é", 5000)
	odd := map[string]func(x *coordv1.Lease){
		"hostile holder":    func(x *coordv1.Lease) { x.Spec.HolderIdentity = &hostile },
		"negative duration": func(x *coordv1.Lease) { d := int32(math.MinInt32); x.Spec.LeaseDurationSeconds = &d },
		"zero duration":     func(x *coordv1.Lease) { d := int32(0); x.Spec.LeaseDurationSeconds = &d },
		"negative count":    func(x *coordv1.Lease) { n := int32(-5); x.Spec.LeaseTransitions = &n },
		"greatest count":    func(x *coordv1.Lease) { n := int32(math.MaxInt32); x.Spec.LeaseTransitions = &n },
		"epoch below zero":  epoch(-1),
		"epoch of zero":     epoch(0),
		"epoch too great": func(x *coordv1.Lease) {
			x.Annotations = map[string]string{lease.AnnotationEpoch: "9223372036854775808"}
		},
		"epoch in Arabic": func(x *coordv1.Lease) { x.Annotations = map[string]string{lease.AnnotationEpoch: "٣"} },
		"long term": func(x *coordv1.Lease) {
			x.Annotations = map[string]string{lease.AnnotationTerm: strings.Repeat("z", 1000)}
		},
		"garbled release": func(x *coordv1.Lease) { x.Annotations = map[string]string{lease.AnnotationReleased: "not a time"} },
		"release of nobody": func(x *coordv1.Lease) {
			x.Spec.HolderIdentity = nil
			x.Annotations[lease.AnnotationReleased] = "x after 1"
		},
		"vacant and held": func(x *coordv1.Lease) { x.Annotations[lease.AnnotationVacant] = "by hand" },
		"no times":        func(x *coordv1.Lease) { x.Spec.RenewTime, x.Spec.AcquireTime = nil, nil },
		"nothing at all":  func(x *coordv1.Lease) { x.Spec, x.Annotations = coordv1.LeaseSpec{}, nil },
		"only a renewTime": func(x *coordv1.Lease) {
			t := x.Spec.RenewTime
			x.Spec, x.Annotations = coordv1.LeaseSpec{RenewTime: t}, nil
		},
		"a strategy unasked":  func(x *coordv1.Lease) { s := coordv1.OldestEmulationVersion; x.Spec.Strategy = &s },
		"annotations removed": func(x *coordv1.Lease) { x.Annotations = nil },
	}
	for i, name := range slices.Sorted(maps.Keys(odd)) {
		edit := odd[name]
		t.Run(name, func(t *testing.T) {
			someWay(t, i, func(w *world) {
				log := &lines{}
				w.start("a", logTo(log))
				w.start("b", logTo(log))
				for range 3 {
					_ = w.EditLease("shop", "invoicer", edit) // the server may refuse it
					sleep(40 * second)
					require.NotEmpty(w, w.who())
				}
				w.Link(w.who()).BlackHole()
				_ = w.EditLease("shop", "invoicer", edit)
				sleep(40 * second)
				require.NotEmpty(w, w.who())
				require.Equal(w, log.count("\n"), log.count("\ntime=")+1, "lines are one each")
			})
		})
	}
}

// A stop budget that nothing can keep is refused, with the inequality.
func TestStopBudgetOfNothing(t *testing.T) {
	for _, c := range []struct {
		timing lease.Timing
		rule   string
	}{
		{lease.Timing{LeaseDuration: 2 * second, RenewDeadline: 1904761903, RetryPeriod: 100 * time.Millisecond, MaxClockDrift: 0.05}, "LeaseDuration/(1+MaxClockDrift)"},
		{lease.Timing{LeaseDuration: 15 * second, RenewDeadline: 14285714284, RetryPeriod: 2 * second, MaxClockDrift: 0.05}, "LeaseDuration/(1+MaxClockDrift)"},
		{lease.Timing{LeaseDuration: 15 * second, RenewDeadline: 10 * second, RetryPeriod: 9999 * time.Millisecond, MaxClockDrift: 0.05}, "RenewDeadline/2"},
		{lease.Timing{LeaseDuration: 15 * second, RenewDeadline: 10 * second, RetryPeriod: 5001 * time.Millisecond, MaxClockDrift: 0.05}, "RenewDeadline/2"},
		{lease.Timing{LeaseDuration: 15 * second, RenewDeadline: 14200 * time.Millisecond, RetryPeriod: 2 * second, MaxClockDrift: 0.05}, "LeaseDuration/(1+MaxClockDrift)"},
	} {
		require.ErrorContains(t, c.timing.Validate(), c.rule)
		inLab(t, func(l lab) {
			_, err := singleton.New(l.Client("a"), singleton.Config{
				Name: "invoicer", Namespace: "shop", Timing: lease.Timing{LeaseDuration: c.timing.LeaseDuration, RenewDeadline: c.timing.RenewDeadline, RetryPeriod: c.timing.RetryPeriod, MaxClockDrift: c.timing.MaxClockDrift},
			})
			require.ErrorContains(l, err, c.rule)
		})
	}
}
