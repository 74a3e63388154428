package singleton_test

import (
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

		l.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 2, Status: 500})
		sleep(3 * second)
		require.EqualValues(l, 2, metric(l, a, "hotseat_renew_failures_total", "reason", "unavailable"))

		r.stop()
		require.NoError(l, r.wait(l))
		require.Zero(l, metric(l, a, "hotseat_active"), "right after a graceful stop")
		require.Zero(l, metric(l, a, "hotseat_epoch"))
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
