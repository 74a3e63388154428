package singleton

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// metrics of one elector: plain numbers, because a process may have a thousand electors. They are
// turned into Prometheus metrics at each scrape. Gauges are read from the elector's status then, so
// they are always current, even right after Run returned.
type metrics struct {
	mu       sync.Mutex
	terms    map[Reason]uint64
	sources  map[protocol.Source]uint64
	failures map[string]uint64
	guards   map[string]uint64 // failed announcements
	evidence map[string]uint64
	overruns uint64
	durations
}

// durations of renewals.
type durations struct {
	renewals uint64
	seconds  float64  // the sum of all renewals' durations
	upTo     []uint64 // for each of renewBuckets: renewals in it and not in the bucket before
}

func renewBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func failureReasons() []string {
	return []string{
		"conflict", "forbidden", "unauthorized", "rejected", "unavailable", "lost", "other",
	}
}

func (m *metrics) started(c protocol.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count(&m.sources, c.Source)
}

func (m *metrics) ended(r Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count(&m.terms, r)
}

func (m *metrics) renewed(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	buckets := renewBuckets()
	if m.upTo == nil {
		m.upTo = make([]uint64, len(buckets))
	}
	m.renewals++
	m.seconds += took.Seconds()
	if i, _ := slices.BinarySearch(buckets, took.Seconds()); i < len(buckets) {
		m.upTo[i]++
	}
}

func (m *metrics) renewalFailed(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count(&m.failures, reason)
}

func (m *metrics) guardFailed(kind fencing.Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count(&m.guards, string(kind))
}

// What came of Config.Evidence.
const (
	evidenceUsed     = "used"     // a term began by it
	evidenceUnproven = "unproven" // the holder seemed dead, and that was not proven
	evidenceUntraced = "untraced" // another replica may have held the Lease since
	evidenceFailed   = "failed"   // an error
)

func (m *metrics) witnessed(result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count(&m.evidence, result)
}

func (m *metrics) overran() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.overruns++
}

func count[K comparable](counts *map[K]uint64, key K) {
	if *counts == nil {
		*counts = map[K]uint64{}
	}
	(*counts)[key]++
}

// histogram returns the renewals as Prometheus counts them: each bucket includes those below it.
func (m *metrics) histogram() map[float64]uint64 {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, most := range renewBuckets() {
		if m.upTo != nil {
			sum += m.upTo[i]
		}
		buckets[most] = sum
	}
	return buckets
}

// descs are the descriptions of an elector's metrics.
type descs struct {
	gauges
	counters
}

type (
	gauges   struct{ active, state, validity, epoch, overrun, missing *prometheus.Desc }
	counters struct{ terms, renewals, failures, overruns, sources, guards, evidence *prometheus.Desc }
)

func (e *Elector) descs() descs {
	labels := prometheus.Labels{"namespace": e.config.Namespace, "lease": e.config.Name}
	desc := func(name, help string, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc("hotseat_"+name, help, variable, labels)
	}
	return descs{
		gauges{
			active: desc("active", "1 while this replica's term is valid, else 0."),
			state:  desc("state", "1 for the state the elector is in, 0 for the others.", "state"),
			validity: desc("validity_remaining_seconds",
				"How long the term stays valid unless renewed; 0 without a term."),
			epoch:   desc("epoch", "Fencing epoch of this replica's current term; 0 without a term."),
			overrun: desc("overrun", "1 while work has overrun its stop budget or drain limit, else 0."),
			missing: desc("lease_missing",
				"1 while there is no Lease, so that nobody can be active, else 0."),
		}, counters{
			terms: desc("terms_total", "Terms of this replica that ended, by reason.", "reason"),
			renewals: desc("renew_duration_seconds",
				"Time from sending a renewal to its acknowledgement, retries on conflicts included."),
			failures: desc("renew_failures_total", "Renewals that failed, by reason.", "reason"),
			overruns: desc("overruns_total", "Terms whose work overran its stop budget or drain limit."),
			sources: desc("terms_started_total",
				"Terms of this replica that began, by what their epoch was derived from.", "source"),
			guards: desc("guard_failures_total",
				"Announcements to the guards that failed, by reason.", "reason"),
			evidence: desc("evidence_total",
				"What came of the evidence that a holder is dead, by result.", "result"),
		},
	}
}

// Describe implements prometheus.Collector.
func (e *Elector) Describe(ch chan<- *prometheus.Desc) {
	d := e.descs()
	for _, desc := range []*prometheus.Desc{
		d.active, d.state, d.validity, d.epoch, d.overrun, d.missing,
		d.terms, d.renewals, d.failures, d.overruns, d.sources, d.guards, d.evidence,
	} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector. All metrics are named hotseat_* and
// carry the labels namespace and lease.
func (e *Elector) Collect(ch chan<- prometheus.Metric) {
	for _, metric := range e.collect() {
		ch <- metric
	}
}

func (e *Elector) collect() (all []prometheus.Metric) {
	d, m, now := e.descs(), &e.metrics, e.Status()
	add := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(desc, kind, value, labels...))
	}
	add(d.active, prometheus.GaugeValue, truth(now.ValidFor > 0))
	add(d.validity, prometheus.GaugeValue, now.ValidFor.Seconds())
	add(d.epoch, prometheus.GaugeValue, float64(now.Token.Epoch))
	add(d.overrun, prometheus.GaugeValue, truth(now.Overrun))
	add(d.missing, prometheus.GaugeValue, truth(now.Missing))
	for s := StateStopped; s <= StateDraining; s++ {
		add(d.state, prometheus.GaugeValue, truth(s == now.State), s.String())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, reason := range reasons() {
		add(d.terms, prometheus.CounterValue, float64(m.terms[reason]), string(reason))
	}
	for _, source := range []protocol.Source{protocol.SourceStore, protocol.SourceCounter} {
		add(d.sources, prometheus.CounterValue, float64(m.sources[source]), string(source))
	}
	for _, reason := range failureReasons() {
		add(d.failures, prometheus.CounterValue, float64(m.failures[reason]), reason)
	}
	for _, kind := range fencing.Kinds() {
		add(d.guards, prometheus.CounterValue, float64(m.guards[string(kind)]), string(kind))
	}
	if e.config.Evidence != nil {
		for _, result := range []string{
			evidenceUsed, evidenceUnproven, evidenceUntraced, evidenceFailed,
		} {
			add(d.evidence, prometheus.CounterValue, float64(m.evidence[result]), result)
		}
	}
	add(d.overruns, prometheus.CounterValue, float64(m.overruns))
	return append(all,
		prometheus.MustNewConstHistogram(d.renewals, m.renewals, m.seconds, m.histogram()))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
