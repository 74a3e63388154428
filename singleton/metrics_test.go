package singleton_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/singleton"
)

func TestMetrics(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		require.Zero(l, metric(l, a, "hotseat_active"))
		require.EqualValues(l, 1, metric(l, a, "hotseat_state", "state", "stopped"))
		r := l.run(a, idle)
		l.run(b, idle)
		sleep(5 * second)
		require.EqualValues(l, 1, metric(l, a, "hotseat_active"))
		require.EqualValues(l, 1, metric(l, a, "hotseat_state", "state", "active"))
		require.Zero(l, metric(l, a, "hotseat_state", "state", "standby"))
		require.InDelta(l, 9, metric(l, a, "hotseat_validity_remaining_seconds"), 0.001)
		require.EqualValues(l, a.Status().Token.Epoch, metric(l, a, "hotseat_epoch"))
		require.EqualValues(l, 2, metric(l, a, "hotseat_renew_duration_seconds"))
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_started_total", "source", "resourceversion"))
		require.Zero(l, metric(l, b, "hotseat_active"))
		require.Zero(l, metric(l, b, "hotseat_validity_remaining_seconds"))
		require.EqualValues(l, 1, metric(l, b, "hotseat_state", "state", "standby"))
		require.EqualValues(l, 1, metric(l, b, "hotseat_ready"))

		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 2, Status: 500})
		sleep(3 * second)
		require.EqualValues(l, 2, metric(l, a, "hotseat_renew_failures_total", "reason", "unavailable"))

		r.stop()
		require.NoError(l, r.wait(l))
		require.Zero(l, metric(l, a, "hotseat_active"), "right after a graceful stop")
		require.Zero(l, metric(l, a, "hotseat_epoch"))
		require.Zero(l, metric(l, a, "hotseat_ready"))
		require.EqualValues(l, 1, metric(l, a, "hotseat_state", "state", "stopped"))
		require.EqualValues(l, 1, metric(l, a, "hotseat_terms_total", "reason", "shutdown"))
		synctest.Wait()
		require.EqualValues(l, 1, metric(l, b, "hotseat_active"))
	})
}

// Several electors share a registry as long as their Leases differ.
func TestCollectorsOfSeveralLeases(t *testing.T) {
	inLab(t, func(l lab) {
		registry := prometheus.NewPedanticRegistry()
		for _, name := range []string{"invoicer", "shipper"} {
			require.NoError(l, registry.Register(l.elector("a", func(c *singleton.Config) { c.Name = name })))
		}
		require.Error(l, registry.Register(l.elector("b")), "the same Lease twice is a mistake")
		families, err := registry.Gather()
		require.NoError(l, err)
		require.NotEmpty(l, families)
		for _, family := range families {
			require.Regexp(l, `^hotseat_[a-z_]+$`, family.GetName())
			require.NotEmpty(l, family.GetHelp())
		}
	})
}

// The gauge falls to 0 at the deadline although nobody told it.
func TestActiveGaugeFallsAtTheDeadline(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, idle)
		l.Link("a").BlackHole()
		sleep(9999 * time.Millisecond)
		require.EqualValues(l, 1, metric(l, a, "hotseat_active"))
		sleep(time.Millisecond)
		require.Zero(l, metric(l, a, "hotseat_active"))
	})
}

// The histogram counts as Prometheus' own does, bounds included.
func TestRenewalsAreCountedInBuckets(t *testing.T) {
	const name = "hotseat_renew_duration_seconds"
	for _, late := range []time.Duration{0, time.Millisecond, 400 * time.Microsecond, 10 * time.Millisecond, second} {
		inLab(t, func(l lab) {
			e := l.elector("a")
			l.run(e, idle)
			l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, DelayAfter: late})
			sleep(5 * second)
			theirs := prometheus.NewHistogram(prometheus.HistogramOpts{
				Name: name, Help: "Time from sending a renewal to its acknowledgement, retries on conflicts included.",
				ConstLabels: prometheus.Labels{"namespace": "shop", "lease": "invoicer"},
				Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			})
			theirs.Observe(late.Seconds())
			theirs.Observe(late.Seconds())
			shown := func(c prometheus.Collector) string {
				registry := prometheus.NewPedanticRegistry()
				require.NoError(l, registry.Register(c))
				families, err := registry.Gather()
				require.NoError(l, err)
				for _, family := range families {
					if family.GetName() == name {
						family.GetMetric()[0].GetHistogram().CreatedTimestamp = nil
						return family.String()
					}
				}
				return ""
			}
			require.Equal(l, shown(theirs), shown(e))
		})
	}
}

// A term's metrics say since when it lasts, what it was taken by, and how long nobody was active.
func TestMetricsOfATakeover(t *testing.T) {
	inLab(t, func(l lab) {
		a, b := l.elector("a"), l.elector("b")
		start := time.Now()
		sleep(5 * second)
		r := l.run(a, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			sleep(3 * second)
			return nil
		})
		l.run(b, idle)
		sleep(4 * second)
		since := func(e *singleton.Elector) float64 {
			return metric(l, e, "hotseat_active_since_timestamp_seconds")
		}
		at := func(d time.Duration) float64 { return float64(start.Add(d).Unix()) }
		require.InDelta(l, at(5*second), since(a), 0.01)
		require.Zero(l, since(b))
		require.EqualValues(l, 1, metric(l, a, "hotseat_acquired_total", "reason", "unheld"))
		require.Zero(l, metric(l, a, "hotseat_vacancy_seconds"), "nobody was seen before")
		require.EqualValues(l, 15, metric(l, a, "hotseat_lease_duration_seconds"))
		require.EqualValues(l, 10, metric(l, a, "hotseat_renew_deadline_seconds"))

		draining := func() float64 { return metric(l, a, "hotseat_draining_since_timestamp_seconds") }
		require.Zero(l, draining())
		r.stop()
		sleep(second)
		require.InDelta(l, at(9*second), draining(), 0.01)
		require.InDelta(l, at(5*second), since(a), 0.01, "the Lease is kept")
		require.NoError(l, r.wait(l))
		synctest.Wait()
		require.Zero(l, draining())
		require.Zero(l, since(a))
		require.InDelta(l, at(12*second), since(b), 0.01)
		require.EqualValues(l, 1, metric(l, b, "hotseat_acquired_total", "reason", "released"))
		require.InDelta(l, 0, metric(l, b, "hotseat_vacancy_seconds"), 0.01, "released")

		l.run(a, idle)
		l.Link("b").BlackHole()
		sleep(30 * second)
		require.EqualValues(l, 1, metric(l, a, "hotseat_acquired_total", "reason", "expired"))
		require.InDelta(l, 15, metric(l, a, "hotseat_vacancy_seconds"), 0.5, "since the last renewal")
		require.EqualValues(l, 1, metric(l, b, "hotseat_terms_total", "reason", "expired"))
		l.Link("b").Heal()
	})
}

// What the elector cleared away itself is no longer than its own doing: no time without an active.
func TestVacancyOfASeatTakenBack(t *testing.T) {
	inLab(t, func(l lab) {
		a := l.elector("a")
		l.run(a, idle)
		sleep(5 * second)
		require.True(l, l.DeleteLease("shop", "invoicer"))
		sleep(5 * second)
		require.EqualValues(l, 1, metric(l, a, "hotseat_acquired_total", "reason", "retaken"))
		require.Less(l, metric(l, a, "hotseat_vacancy_seconds"), 1.)
	})
}

// Renewals overlap when answers take longer than a RetryPeriod, and are late when they take so long
// that the term is about to end.
func TestSlowRenewalsAreCounted(t *testing.T) {
	for _, c := range []struct {
		answer            time.Duration
		overlapping, late bool
	}{{1500 * time.Millisecond, false, false}, {3 * second, true, false}, {6 * second, true, true}} {
		inLab(t, func(l lab) {
			a := l.elector("a")
			l.run(a, idle)
			l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, DelayAfter: c.answer})
			sleep(30 * second)
			require.EqualValues(l, 1, metric(l, a, "hotseat_active"), c)
			require.Equal(l, c.overlapping, metric(l, a, "hotseat_renewals_overlapping_total") > 0, c)
			require.Equal(l, c.late, metric(l, a, "hotseat_renewals_late_total") > 0, c)
		})
	}
}
