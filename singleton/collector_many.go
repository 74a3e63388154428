package singleton

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector is a prometheus.Collector for a process with many electors. Register it in place of the
// electors: each of them has about 70 series, so a scrape of a thousand electors takes long.
//   - Of each elector it has seven series: hotseat_active, hotseat_active_since_timestamp_seconds,
//     hotseat_ready, hotseat_state of standby, hotseat_draining_since_timestamp_seconds,
//     hotseat_overrun, hotseat_lease_missing. Alerts that use no others say which Lease it is.
//   - Of all counters and of the histogram it has the sums over all electors. The labels namespace
//     and lease of these series are empty. If an elector is no longer listed, its counts are no
//     longer in the sums. Prometheus takes that for a restart.
//   - It has no other gauges.
//
// It is safe for concurrent use, takes no lock, and waits for no elector.
type Collector struct {
	electors func() []*Elector
}

// NewCollector returns a [Collector]. It calls electors at each scrape, maybe on several goroutines
// at once. electors returns those that exist then. If two of them are of the same Lease, the scrape
// fails.
func NewCollector(electors func() []*Elector) *Collector { return &Collector{electors} }

// Describe implements prometheus.Collector. It describes nothing. So a registry accepts several
// collectors of a process, and checks the values only at each scrape.
func (*Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	descs := map[string]*prometheus.Desc{}
	send := func(f family, namespace, lease string) {
		if descs[f.name] == nil {
			descs[f.name] = f.desc(nil, "namespace", "lease")
		}
		f.send(ch, descs[f.name], namespace, lease)
	}
	var sums []family
	for _, e := range c.electors() {
		now := e.Status()
		for _, f := range e.gauges(&now) {
			if f.ofEach() {
				send(f, e.config.Namespace, e.config.Name)
			}
		}
		sums = added(sums, e.countersOfTerms())
	}
	for _, f := range sums {
		send(f, "", "")
	}
}

// ofEach reports whether a Collector has a gauge of each elector. Of its state it leaves one
// series.
func (f *family) ofEach() bool {
	switch f.name {
	case "hotseat_active", "hotseat_active_since_timestamp_seconds", "hotseat_ready",
		"hotseat_draining_since_timestamp_seconds", "hotseat_overrun", "hotseat_lease_missing":
		return true
	case "hotseat_state":
		f.samples = f.samples[StateStandby : StateStandby+1]
		return true
	}
	return false
}

// added returns sums with one elector's counters added. They are the same for all electors, but for
// those that an elector does without.
func added(sums, counters []family) []family {
	if sums == nil {
		return counters
	}
	for i, f := range counters {
		sum := &sums[i]
		if len(sum.samples) == 0 {
			sum.samples = slices.Clone(f.samples)
		} else {
			for j, s := range f.samples {
				sum.samples[j].value += s.value
			}
		}
		sum.histogram = sum.histogram.plus(f.histogram)
	}
	return sums
}

// plus returns the sum of two distributions.
func (d *distribution) plus(other *distribution) *distribution {
	if d == nil || other == nil {
		return d
	}
	for bound, n := range other.buckets {
		d.buckets[bound] += n
	}
	return &distribution{d.count + other.count, d.sum + other.sum, d.buckets}
}
