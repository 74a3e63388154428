package singleton

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/lease"
)

// metrics of one elector. Gauges are read off its status when scraped, so they
// are right whenever they are looked at, also right after it stopped.
type metrics struct {
	active, state, validity, epochNow, overrun *prometheus.Desc

	terms    *prometheus.CounterVec
	renewals prometheus.Histogram
	failures *prometheus.CounterVec
	overruns prometheus.Counter
	sources  *prometheus.CounterVec
}

func newMetrics(namespace, name string) *metrics {
	labels := prometheus.Labels{"namespace": namespace, "lease": name}
	desc := func(name, help string, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc("hotseat_"+name, help, variable, labels)
	}
	counter := func(name, help string, variable ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotseat_" + name, Help: help, ConstLabels: labels}, variable)
	}
	m := &metrics{
		active:   desc("active", "1 while this replica's term is valid, else 0."),
		state:    desc("state", "1 for the state the elector is in, 0 for the others.", "state"),
		validity: desc("validity_remaining_seconds", "How long the term stays valid unless renewed; 0 without one."),
		epochNow: desc("epoch", "Fencing epoch of this replica's current term; 0 without one."),
		overrun:  desc("overrun", "1 while work has outstayed its stop budget, else 0."),
		terms:    counter("terms_total", "Terms of this replica that ended, by reason.", "reason"),
		renewals: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotseat_renew_duration_seconds", Help: "Time from sending a renewal to its acknowledgement, retries on conflicts included.",
			ConstLabels: labels,
			Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failures: counter("renew_failures_total", "Renewals that failed, by reason.", "reason"),
		overruns: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotseat_overruns_total", Help: "Terms whose work outstayed its stop budget.", ConstLabels: labels,
		}),
		sources: counter("terms_started_total", "Terms of this replica that began, by what their epoch was derived from.", "source"),
	}
	for _, reason := range reasons() {
		m.terms.WithLabelValues(string(reason))
	}
	for _, reason := range []string{"conflict", "forbidden", "unauthorized", "rejected", "unavailable", "lost", "other"} {
		m.failures.WithLabelValues(reason)
	}
	for _, source := range []lease.Source{lease.SourceStore, lease.SourceCounter} {
		m.sources.WithLabelValues(string(source))
	}
	return m
}

func (m *metrics) started(c lease.Claim)       { m.sources.WithLabelValues(string(c.Source)).Inc() }
func (m *metrics) ended(r Reason)              { m.terms.WithLabelValues(string(r)).Inc() }
func (m *metrics) renewed(took time.Duration)  { m.renewals.Observe(took.Seconds()) }
func (m *metrics) renewalFailed(reason string) { m.failures.WithLabelValues(reason).Inc() }
func (m *metrics) overran()                    { m.overruns.Inc() }

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.terms, m.renewals, m.failures, m.overruns, m.sources}
}

// Describe implements prometheus.Collector.
func (e *Elector) Describe(ch chan<- *prometheus.Desc) {
	m := e.metrics
	for _, d := range []*prometheus.Desc{m.active, m.state, m.validity, m.epochNow, m.overrun} {
		ch <- d
	}
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector. All metrics are named hotseat_* and
// carry the labels namespace and lease.
func (e *Elector) Collect(ch chan<- prometheus.Metric) {
	m, now := e.metrics, e.Status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(m.active, truth(now.ValidFor > 0))
	gauge(m.validity, now.ValidFor.Seconds())
	gauge(m.epochNow, float64(now.Token.Epoch))
	gauge(m.overrun, truth(now.Overrun))
	for s := StateStopped; s <= StateDraining; s++ {
		gauge(m.state, truth(s == now.State), s.String())
	}
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
