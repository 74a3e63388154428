package leadermetrics

import (
	"cmp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// The help texts are those of component-base and of controller-runtime: a registry demands that
// they are the same for all metrics of a name.
const (
	statusName = "leader_election_master_status"
	statusHelp = "Gauge of if the reporting system is master of the relevant lease," +
		" 0 indicates backup, 1 indicates master." +
		" 'name' is the string used to identify the lease. Please make sure to group by name."
	slowpathName = "leader_election_slowpath_total"
	slowpathHelp = "Total number of slow path exercised in renewing leader leases." +
		" 'name' is the string used to identify the lease. Please make sure to group by name."
	alpha = "[ALPHA] "
)

// Config of a [Collector].
type Config struct {
	// Name is the value of the label name. Default: the name of the Lease, without its namespace. Most
	// programs use that name as LeaderElectionConfig.Name. controller-runtime uses its
	// LeaderElectionID.
	Name string
	// Alpha puts "[ALPHA] " before the help texts, as component-base does. Set it if the registry is
	// component-base's legacyregistry.
	Alpha bool
}

// Collector is a prometheus.Collector of one elector. It is safe for concurrent use.
type Collector struct {
	source           *prometheus.Registry // of the elector alone
	status, slowpath *prometheus.Desc
}

// New returns a [Collector] for elector. It fails with a [*lease.FieldError] if elector is nil.
func New(elector *singleton.Elector, config Config) (*Collector, error) {
	if elector == nil {
		return nil, &lease.FieldError{Field: "elector", Value: nil, Rule: "must not be nil"}
	}
	source := prometheus.NewRegistry()
	source.MustRegister(elector) // alone in it, so that nothing can clash
	_, name, _ := strings.Cut(elector.Scope(), "/")
	labels := prometheus.Labels{"name": cmp.Or(config.Name, name)}
	prefix := ""
	if config.Alpha {
		prefix = alpha
	}
	return &Collector{
		source:   source,
		status:   prometheus.NewDesc(statusName, prefix+statusHelp, nil, labels),
		slowpath: prometheus.NewDesc(slowpathName, prefix+slowpathHelp, nil, labels),
	}, nil
}

// Describe implements prometheus.Collector. It describes nothing. So a registry accepts the
// collector although another one has the same metrics, and checks the values only at each scrape.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	families, err := c.source.Gather()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.status, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.status, prometheus.GaugeValue,
		sum(families, "hotseat_active"))
	ch <- prometheus.MustNewConstMetric(c.slowpath, prometheus.CounterValue,
		sum(families, "hotseat_renew_failures_total"))
}

// sum of all values of a metric.
func sum(families []*dto.MetricFamily, name string) (total float64) {
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			total += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	return total
}
