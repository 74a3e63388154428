package leadermetrics_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leadermetrics"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const (
	statusHelp   = "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease. Please make sure to group by name."
	slowpathHelp = "Total number of slow path exercised in renewing leader leases. 'name' is the string used to identify the lease. Please make sure to group by name."
)

func shop() *singletontest.Cluster {
	return singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
}

func electorOf(t require.TestingT, c *singletontest.Cluster) *singleton.Elector {
	elector, err := singleton.New(c.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return elector
}

func aliases(t require.TestingT, e *singleton.Elector, config leadermetrics.Config) *leadermetrics.Collector {
	c, err := leadermetrics.New(e, config)
	require.NoError(t, err)
	return c
}

// value of a metric that the registry has once.
func value(t require.TestingT, g prometheus.Gatherer, name string) float64 {
	families, err := g.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			require.Len(t, f.GetMetric(), 1)
			require.Len(t, f.GetMetric()[0].GetLabel(), 1)
			require.Equal(t, "name", f.GetMetric()[0].GetLabel()[0].GetName())
			require.Equal(t, "invoicer", f.GetMetric()[0].GetLabel()[0].GetValue())
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	require.FailNow(t, "no such metric", name)
	return 0
}

// The aliases follow a term through an outage, a drain and its end.
func TestAliasesFollowTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shop()
		defer c.Close()
		e := electorOf(t, c)
		r := prometheus.NewPedanticRegistry()
		require.NoError(t, r.Register(aliases(t, e, leadermetrics.Config{})))
		status := func() float64 { return value(t, r, "leader_election_master_status") }
		slowpath := func() float64 { return value(t, r, "leader_election_slowpath_total") }
		require.Zero(t, status(), "before Run")

		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		t.Cleanup(func() { stop(); <-done })
		go func() {
			defer close(done)
			assert.NoError(t, e.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
				<-ctx.Done()
				time.Sleep(3 * time.Second)
				return nil
			}))
		}()
		sleep(time.Second)
		require.Equal(t, 1., status())
		require.Zero(t, slowpath())

		c.Link("a").Cut()
		sleep(5 * time.Second)
		failed := slowpath()
		require.Positive(t, failed, "a renewal failed")
		require.Equal(t, 1., status(), "and the term goes on")
		sleep(10 * time.Second)
		require.Zero(t, status(), "expired")
		c.Link("a").Heal()
		sleep(30 * time.Second)
		require.Equal(t, 1., status(), "another term")

		stop()
		sleep(2 * time.Second)
		require.Equal(t, 1., status(), "work drains, and the Lease is kept")
		<-done
		require.Zero(t, status())
		require.GreaterOrEqual(t, slowpath(), failed, "a counter does not go back")
	})
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Names, types, labels and help are those that component-base has.
func TestAliasesLookLikeClientGos(t *testing.T) {
	c := shop()
	defer c.Close()
	for _, prefix := range []string{"", "[ALPHA] "} {
		all := aliases(t, electorOf(t, c), leadermetrics.Config{Alpha: prefix != "", Name: "shop-invoicer"})
		families, err := registryOf(t, all).Gather()
		require.NoError(t, err)
		require.Len(t, families, 2)
		require.Equal(t, "leader_election_master_status", families[0].GetName())
		require.Equal(t, prefix+statusHelp, families[0].GetHelp())
		require.Equal(t, "GAUGE", families[0].GetType().String())
		require.Equal(t, "leader_election_slowpath_total", families[1].GetName())
		require.Equal(t, prefix+slowpathHelp, families[1].GetHelp())
		require.Equal(t, "COUNTER", families[1].GetType().String())
		require.Equal(t, "shop-invoicer", families[0].GetMetric()[0].GetLabel()[0].GetValue())
	}
}

func registryOf(t require.TestingT, all ...prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	for _, c := range all {
		require.NoError(t, r.Register(c))
	}
	return r
}

// gauge is client-go's, as controller-runtime registers it.
func gauge(help, name string) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leader_election_master_status", Help: help}, []string{"name"})
	g.WithLabelValues(name).Set(1)
	return g
}

// Registered beside client-go's in either order, the aliases stand beside them. What clashes fails
// the scrape.
func TestAliasesBesideClientGos(t *testing.T) {
	c := shop()
	defer c.Close()
	ours := aliases(t, electorOf(t, c), leadermetrics.Config{})
	for _, all := range [][]prometheus.Collector{
		{gauge(statusHelp, "manager"), ours}, {ours, gauge(statusHelp, "manager")},
	} {
		families, err := registryOf(t, all...).Gather()
		require.NoError(t, err)
		require.Equal(t, "leader_election_master_status", families[0].GetName())
		require.Len(t, families[0].GetMetric(), 2)
	}
	_, err := registryOf(t, gauge(statusHelp, "invoicer"), ours).Gather()
	require.ErrorContains(t, err, "was collected before with the same name and label values")
	_, err = registryOf(t, gauge("[ALPHA] "+statusHelp, "manager"), ours).Gather()
	require.ErrorContains(t, err, "but should have")
	ours = aliases(t, electorOf(t, c), leadermetrics.Config{Alpha: true})
	_, err = registryOf(t, gauge("[ALPHA] "+statusHelp, "manager"), ours).Gather()
	require.NoError(t, err)
}

// In a registry with the elector itself, for which the aliases gather, nothing is there twice.
func TestAliasesBesideTheElector(t *testing.T) {
	c := shop()
	defer c.Close()
	e := electorOf(t, c)
	families, err := registryOf(t, e, aliases(t, e, leadermetrics.Config{})).Gather()
	require.NoError(t, err)
	require.Len(t, families, 26)
}

func TestAliasesNeedAnElector(t *testing.T) {
	_, err := leadermetrics.New(nil, leadermetrics.Config{})
	var field *lease.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "elector <nil> must not be nil", err.Error())
}
