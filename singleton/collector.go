package singleton

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

// family is one metric of an elector, with its values at a scrape.
type family struct {
	name, help string
	label      string // beside namespace and lease; may be empty
	kind       prometheus.ValueType
	samples    []sample
	histogram  *distribution // instead of kind and samples
}

// sample is one value. label is the value of the family's label.
type sample struct {
	label string
	value float64
}

// distribution is a histogram. Each bucket includes those below it, as Prometheus has them.
type distribution struct {
	count   uint64
	sum     float64
	buckets map[float64]uint64
}

func gauge(name, help string, value float64) family {
	return family{name: name, help: help, kind: prometheus.GaugeValue, samples: []sample{{"", value}}}
}

func counter(name, help string, value uint64) family {
	return family{name: name, help: help, kind: prometheus.CounterValue,
		samples: []sample{{"", float64(value)}}}
}

// counters is one with a series for each value of a label, also while it is 0.
func counters[V ~string](t *tally, values []V, label, name, help string) family {
	f := family{name: name, help: help, label: label, kind: prometheus.CounterValue}
	for i, value := range values {
		f.samples = append(f.samples, sample{string(value), float64(t.get(i))})
	}
	return f
}

// Describe implements prometheus.Collector.
func (e *Elector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range e.families() {
		ch <- f.desc(e.labels())
	}
}

// Collect implements prometheus.Collector. All metrics are named hotseat_* and carry the labels
// namespace and lease. The guide's page metrics.md says what each is for. Collect takes no lock and
// never waits for the elector.
func (e *Elector) Collect(ch chan<- prometheus.Metric) {
	labels := e.labels()
	for _, f := range e.families() {
		f.send(ch, f.desc(labels))
	}
}

func (e *Elector) labels() prometheus.Labels {
	return prometheus.Labels{"namespace": e.config.Namespace, "lease": e.config.Name}
}

// desc describes the family. variable are labels that it gets beside its own.
func (f *family) desc(labels prometheus.Labels, variable ...string) *prometheus.Desc {
	if f.label != "" {
		variable = append(variable, f.label)
	}
	return prometheus.NewDesc(f.name, f.help, variable, labels)
}

// send sends the values. variable are those of the labels that desc got beside the family's own.
func (f *family) send(ch chan<- prometheus.Metric, desc *prometheus.Desc, variable ...string) {
	if h := f.histogram; h != nil {
		ch <- prometheus.MustNewConstHistogram(desc, h.count, h.sum, h.buckets, variable...)
	}
	for _, s := range f.samples {
		values := variable
		if f.label != "" {
			values = append(slices.Clone(variable), s.label)
		}
		ch <- prometheus.MustNewConstMetric(desc, f.kind, s.value, values...)
	}
}

// families are all metrics, as they are now.
func (e *Elector) families() []family {
	now := e.Status()
	return append(e.gauges(&now), e.countersOfTerms()...)
}

// gauges are read from the elector's status, so they are right even after Run returned.
func (e *Elector) gauges(now *Status) []family {
	var began, draining time.Time
	var failing bool
	if now.Term != nil {
		began = now.Term.began
		failing = now.Guard != nil && now.Guard.Token.Term == now.Token.Term
	}
	if now.State == StateDraining {
		draining = now.Since
	}
	states := family{name: "hotseat_state", label: "state", kind: prometheus.GaugeValue,
		help: "1 for the state the elector is in, 0 for the others."}
	for s := StateStopped; s <= StateDraining; s++ {
		states.samples = append(states.samples, sample{s.String(), truth(s == now.State)})
	}
	progress := gauge("hotseat_progress_age_seconds",
		"Time since work last reported progress; 0 while no work runs.", now.Term.progressAge().Seconds())
	if e.config.Replica.ProgressWithin == 0 {
		progress.samples = nil
	}
	timing := e.config.Timing
	return []family{
		gauge("hotseat_active", "1 while this replica's term is valid, else 0.",
			truth(now.ValidFor > 0)),
		gauge("hotseat_active_since_timestamp_seconds",
			"Unix time at which this replica's current term began; 0 without a term.", unix(began)),
		states,
		gauge("hotseat_validity_remaining_seconds",
			"How long the term stays valid unless renewed; 0 without a term.", now.ValidFor.Seconds()),
		gauge("hotseat_epoch", "Fencing epoch of this replica's current term; 0 without a term.",
			float64(now.Token.Epoch)),
		gauge("hotseat_vacancy_seconds", "How long nobody was active before the last term that this"+
			" replica began, as far as it knows; 0 if it does not know.",
			time.Duration(e.metrics.vacant.Load()).Seconds()),
		gauge("hotseat_draining_since_timestamp_seconds",
			"Unix time since when this replica's work drains; 0 while none does.", unix(draining)),
		progress,
		gauge("hotseat_ready", "1 while this replica is able to take over, as far as it knows, else 0.",
			truth(e.Ready() == nil)),
		gauge("hotseat_polling",
			"1 while this replica may not watch the Lease and polls it instead, else 0.", truth(e.Polls())),
		gauge("hotseat_overrun",
			"1 while work has overrun its stop budget or drain limit, else 0.", truth(now.Overrun)),
		gauge("hotseat_lease_missing",
			"1 while there is no Lease, so that nobody can be active, else 0.", truth(now.Missing)),
		gauge("hotseat_guard_failing",
			"1 while a guard has not accepted the current term's token, else 0.", truth(failing)),
		gauge("hotseat_lease_duration_seconds", "Timing.LeaseDuration.", timing.LeaseDuration.Seconds()),
		gauge("hotseat_renew_deadline_seconds", "Timing.RenewDeadline.", timing.RenewDeadline.Seconds()),
	}
}

func (e *Elector) countersOfTerms() []family {
	m := &e.metrics
	evidence := counters(&m.evidence, testimonies(), "result", "hotseat_evidence_total",
		"What came of the evidence that a holder is dead, by result.")
	if e.config.Evidence == nil {
		evidence.samples = nil
	}
	return []family{
		counters(&m.acquired, protocol.Proofs(), "reason", "hotseat_acquired_total",
			"Terms of this replica that began, by what proved that nobody else was at work."),
		counters(&m.sources, sources(), "source", "hotseat_terms_started_total",
			"Terms of this replica that began, by what their epoch was derived from."),
		counters(&m.terms, reasons(), "reason", "hotseat_terms_total",
			"Terms of this replica that ended, by reason."),
		{name: "hotseat_renew_duration_seconds",
			help:      "Time from sending a renewal to its acknowledgement, retries on conflicts included.",
			histogram: m.histogram()},
		counters(&m.failed, failureReasons(), "reason", "hotseat_renew_failures_total",
			"Renewals that failed, by reason."),
		counters(&m.attempts, failureReasons(), "reason", "hotseat_acquire_failures_total",
			"Attempts to create or acquire the Lease that failed, by reason."),
		counter("hotseat_renewals_late_total", "Renewals that used more than half of the time they had:"+
			" RenewDeadline less RetryPeriod.", m.late.Load()),
		counter("hotseat_renewals_overlapping_total",
			"Renewals that were sent while an earlier write was not answered.", m.overlapping.Load()),
		counter("hotseat_overruns_total",
			"Terms whose work overran its stop budget or drain limit.", m.overruns.Load()),
		counters(&m.guards, fencing.Kinds(), "reason", "hotseat_guard_failures_total",
			"Announcements to the guards that failed, by reason."),
		evidence,
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix is 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}
