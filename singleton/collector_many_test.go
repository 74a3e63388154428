package singleton_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// gathered are all series of a collector, by name and labels. A histogram counts by how many.
func gathered(t require.TestingT, c prometheus.Collector) map[string]float64 {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	series := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series[f.GetName()+labelsOf(m)] = m.GetGauge().GetValue() + m.GetCounter().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
		}
	}
	return series
}

// labelsOf leaves out those that are empty, as Prometheus does.
func labelsOf(m *dto.Metric) (text string) {
	for _, l := range m.GetLabel() {
		if l.GetValue() != "" {
			text += " " + l.GetName() + "=" + l.GetValue()
		}
	}
	return text
}

// counted is how many series of an elector are counters or histograms.
func counted(t require.TestingT, e *singleton.Elector) (n int) {
	for _, metric := range collect(e) {
		var m dto.Metric
		require.NoError(t, metric.Write(&m))
		if m.Gauge == nil {
			n++
		}
	}
	return n
}

// A Collector has of each elector what alerts need, and the sums of all that is counted.
func TestCollectorOfMany(t *testing.T) {
	inLab(t, func(l lab) {
		named := func(name string) func(*singleton.Config) {
			return func(c *singleton.Config) { c.Name = name }
		}
		for _, name := range []string{"mailer", "printer"} {
			lease := newLease()
			lease.Name = name
			_, err := l.CreateLease(lease)
			require.NoError(l, err)
		}
		all := []*singleton.Elector{
			l.elector("a"), l.elector("b", named("mailer")), l.elector("c", named("printer")),
		}
		c := singleton.NewCollector(func() []*singleton.Elector { return all })
		l.run(all[0], idle)
		l.run(all[1], idle)
		l.run(l.elector("d", named("mailer")), idle) // stands by
		sleep(30 * second)
		all[1].Resign()
		sleep(30 * second)

		got := gathered(l, c)
		require.InDelta(l, 1, got["hotseat_active lease=invoicer namespace=shop"], 0)
		require.InDelta(l, 0, got["hotseat_active lease=mailer namespace=shop"], 0)
		require.InDelta(l, 1, got["hotseat_state lease=mailer namespace=shop state=standby"], 0)
		require.InDelta(l, 0, got["hotseat_ready lease=printer namespace=shop"], 0)
		require.InDelta(l, 1, got["hotseat_terms_total reason=resigned"], 0)
		require.InDelta(l, 2, got["hotseat_acquired_total reason=unheld"], 0)
		require.Greater(l, got["hotseat_renew_duration_seconds"], 40.0)

		// What it has is what the electors say, each by itself or all together.
		want, sums := map[string]float64{}, map[string]float64{}
		for _, e := range all {
			scope := " lease=" + e.Scope()[len("shop/"):] + " namespace=shop"
			for name, value := range gathered(l, e) {
				want[name] = value
				sums[strings.Replace(name, scope, "", 1)] += value
			}
		}
		for name, value := range got {
			if _, own := want[name]; own {
				require.InDelta(l, want[name], value, 0, name)
			} else {
				require.InDelta(l, sums[name], value, 0, name)
			}
		}
		require.Len(l, got, 3*7+counted(l, all[0]))

		all = all[:1]
		got = gathered(l, c)
		require.NotContains(l, got, "hotseat_active lease=mailer namespace=shop")
		require.InDelta(l, 0, got["hotseat_terms_total reason=resigned"], 0, "it left with its elector")
		all = nil
		require.Empty(l, gathered(l, c))
	})
}
