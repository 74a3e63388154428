package singleton_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// within has work report progress at least that often.
func within(d time.Duration) func(*singleton.Config) {
	return func(c *singleton.Config) { c.Replica.ProgressWithin = d }
}

// busy is work that reports progress each period until it is wedged. Each of its terms is told.
type busy struct {
	period time.Duration
	wedged func(at time.Duration) bool // what time of the term it is
	causes chan error
}

func (b *busy) work(ctx context.Context, term *singleton.Term) error {
	for began := time.Now(); ctx.Err() == nil; {
		select {
		case <-time.After(b.period):
			if !b.wedged(time.Since(began)) {
				term.Progress()
			}
		case <-ctx.Done():
		}
	}
	b.causes <- context.Cause(ctx)
	return nil
}

func newBusy(until time.Duration) *busy {
	return &busy{5 * second, func(at time.Duration) bool { return at > until }, make(chan error, 100)}
}

// Rule H9: work that reports nothing for ProgressWithin gives its term up, and another replica is
// active at once.
func TestStalledWorkGivesWay(t *testing.T) {
	inLab(t, func(l lab) {
		work := newBusy(time.Minute)
		a, b := l.elector("a", within(30*second)), l.elector("b")
		l.run(a, work.work)
		l.run(b, idle)
		began := time.Now()
		sleep(82 * second)
		require.InDelta(l, 22, metric(l, a, "hotseat_progress_age_seconds"), 0.001)
		sleep(8*second - 1)
		require.True(l, a.IsActive(), "30 s have not passed since its last report")
		sleep(1)
		require.True(l, b.IsActive(), "the Lease was released")
		cause := <-work.causes
		var end *singleton.EndError
		require.ErrorAs(l, cause, &end)
		require.Equal(l, singleton.ReasonStalled, end.Reason)
		require.Equal(l, time.Minute, end.Since.Sub(began))
		require.NotErrorIs(l, cause, singleton.ErrLost, "the Lease is kept while work drains")
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "stalled"))
		require.Zero(l, metric(l, a, "hotseat_progress_age_seconds"))
		sleep(time.Minute)
		require.True(l, b.IsActive())
		require.Equal(l, singleton.StateStandby, a.Status().State)
	})
}

// The clock starts with work: a slow OnAcquire is not work that has stalled.
func TestProgressCountsFromTheStartOfWork(t *testing.T) {
	inLab(t, func(l lab) {
		work := newBusy(0)
		a := l.elector("a", within(10*second), func(c *singleton.Config) {
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { time.Sleep(25 * second) }
		})
		l.run(a, work.work)
		sleep(35*second - 1)
		require.True(l, a.IsActive())
		require.InDelta(l, 10, metric(l, a, "hotseat_progress_age_seconds"), 0.001)
		sleep(1)
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "stalled"))
	})
}

// Without ProgressWithin nothing has to be reported, and there is no metric of it.
func TestProgressIsOffAtFirst(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, idle)
		sleep(time.Hour)
		require.True(l, a.IsActive())
		require.Equal(l, time.Hour, time.Since(a.Status().Since), "still the first term")
		registry := prometheus.NewPedanticRegistry()
		require.NoError(l, registry.Register(a))
		families, err := registry.Gather()
		require.NoError(l, err)
		for _, family := range families {
			require.NotContains(l, family.GetName(), "progress")
		}
	})
}

// A replica that is alone is active again each time, a lease duration later at most.
func TestStalledAloneIsActiveAgain(t *testing.T) {
	inLab(t, func(l lab) {
		work := newBusy(0)
		var began []time.Duration
		start := time.Now()
		a := l.elector("a", within(10*second))
		l.run(a, func(ctx context.Context, term *singleton.Term) error {
			began = append(began, time.Since(start).Round(second))
			return work.work(ctx, term)
		})
		sleep(90 * second)
		require.Equal(l, []time.Duration{
			0,
			10*second + 4*second, // HoldOff
			24*second + 8*second,
			42*second + 15*second,
			67*second + 15*second,
		}, began)
	})
}

// Rule A10: what has stalled lets others go first the next time, too, but not after a good term.
func TestStalledLetsOthersGoFirstLater(t *testing.T) {
	inWorld(t, func(w *world) {
		good := false
		var mu sync.Mutex
		work := newBusy(0)
		work.wedged = func(time.Duration) bool { mu.Lock(); defer mu.Unlock(); return !good }
		a := w.elector("a", within(10*second))
		w.run(a, work.work)
		_, b := w.replica("b", true)
		sleep(11 * second)
		require.True(w, w.on("b"))
		mu.Lock()
		good = true
		mu.Unlock()
		sleep(time.Minute)
		b.stop() // nobody but a is left
		sleep(4*second - 1)
		require.False(w, a.IsActive(), "others would go first")
		sleep(second)
		require.True(w, a.IsActive())

		sleep(time.Minute)
		_, c := w.replica("c", true)
		a.Resign()
		sleep(second)
		require.True(w, w.on("c"))
		sleep(time.Minute)
		c.stop()
		sleep(second)
		require.True(w, a.IsActive(), "at once: its last term served for a minute")
	})
}

// Rule H5: work that has stalled and does not return keeps the Lease, and that is told.
func TestStalledWorkThatDoesNotReturn(t *testing.T) {
	inLab(t, func(l lab) {
		wedge := make(chan struct{})
		free := sync.OnceFunc(func() { close(wedge) })
		a, b := l.elector("a", within(10*second)), l.elector("b")
		l.run(a, func(context.Context, *singleton.Term) error { <-wedge; return nil })
		l.Cleanup(free)
		l.run(b, idle)
		sleep(10 * second)
		require.Equal(l, singleton.StateDraining, a.Status().State)
		sleep(5*time.Minute - 1)
		require.NoError(l, a.Live())
		require.False(l, b.IsActive())
		sleep(1)
		require.Error(l, a.Live(), "DrainLimit is over")
		require.Equal(l, a.Identity(), l.record().Holder())
		require.InDelta(l, 310, metric(l, a, "hotseat_progress_age_seconds"), 0.001)
		free()
		sleep(second)
		require.True(l, b.IsActive())
	})
}

// Rule A10: a program that calls Run again after its work failed within seconds lets others go
// first, for longer each time. Work that goes well for a lease duration makes up for that.
func TestWorkThatFailsAgainAndAgain(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		again := func(lasts time.Duration, err error) (waited time.Duration) {
			began := time.Now()
			var at time.Duration
			r := l.run(a, func(context.Context, *singleton.Term) error {
				at = time.Since(began)
				time.Sleep(lasts)
				return err
			})
			require.Equal(l, err, r.wait(l))
			return at.Round(second)
		}
		failure := errors.New("the schema is too old")
		require.Zero(l, again(second, failure))
		require.Equal(l, 4*second, again(second, failure))
		require.Equal(l, 8*second, again(second, nil), "neither good nor bad: it was short")
		require.Equal(l, 8*second, again(15*second-1, failure))
		require.Equal(l, 15*second, again(second, failure))
		require.Equal(l, 15*second, again(15*second, failure), "it served for a lease duration")
		require.Equal(l, 4*second, again(second, failure))
		require.Equal(l, 4*second, again(second, failure))
		require.Equal(l, 8*second, again(second, failure))
		time.Sleep(10*time.Minute + second)
		require.Zero(l, again(second, nil), "HoldOff is over as well")
	})
}

// A process that is killed leaves the Lease to expire. The next one in its Pod sees the Lease later
// than the standbys did, so one of them is first, each time.
func TestKilledActiveIsNotActiveAgain(t *testing.T) {
	for range 10 { // pauses are drawn
		inLab(t, func(l lab) {
			l.run(l.elector("a"), idle)
			b := l.elector("b")
			l.run(b, idle)
			sleep(5 * second)
			l.Link("a").BlackHole() // it is as good as killed
			again := l.electorOf(l.Client("a again"), "a")
			l.run(again, idle)
			sleep(15 * second)
			require.True(l, b.IsActive())
			require.False(l, again.IsActive())
		})
	}
}
