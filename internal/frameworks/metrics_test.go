package frameworks

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	componentmetrics "k8s.io/component-base/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leadermetrics"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const masterStatus = "leader_election_master_status"

func aliases(t *testing.T, config leadermetrics.Config) *leadermetrics.Collector {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(cluster.Close)
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	collector, err := leadermetrics.New(elector, config)
	require.NoError(t, err)
	return collector
}

// names are the values of the label name.
func names(t *testing.T, g prometheus.Gatherer) (all []string) {
	families, err := g.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == masterStatus {
			for _, metric := range family.GetMetric() {
				all = append(all, metric.GetLabel()[0].GetValue())
			}
		}
	}
	return all
}

// In controller-runtime's own registry, beside the gauge of a manager's own election.
func TestAliasesInTheRegistryOfControllerRuntime(t *testing.T) {
	collector := aliases(t, leadermetrics.Config{})
	require.NoError(t, metrics.Registry.Register(collector))
	_, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: "manager", LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "manager"},
			LockConfig: resourcelock.ResourceLockConfig{Identity: "a"},
		},
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {},
		},
	})
	require.NoError(t, err)
	require.Subset(t, names(t, metrics.Registry), []string{"invoicer", "manager"})
}

// What the documentation of leadermetrics says of client-go's gauge: when the elector is told to
// stop between two renewals, it stays 1.
func TestClientGosStatusStaysAfterAStop(t *testing.T) {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "stopped"})
	t.Cleanup(cluster.Close)
	ctx, stop := context.WithCancel(t.Context())
	began := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: "stopped", LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: "shop", Name: "stopped"}, Client: cluster.Client("a"),
			LockConfig: resourcelock.ResourceLockConfig{Identity: "a"},
		},
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(began) }, OnStoppedLeading: func() {},
		},
		ReleaseOnCancel: true,
	})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		elector.Run(ctx)
	}()
	<-began
	time.Sleep(200 * time.Millisecond) // the first renewal follows at once: it is over then
	stop()
	<-done
	require.Empty(t, *cluster.Lease().Spec.HolderIdentity, "it has released the Lease")
	require.Equal(t, 1., status(t, "stopped"))
}

// status is the value of master_status in controller-runtime's registry.
func status(t *testing.T, name string) float64 {
	families, err := metrics.Registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == masterStatus && metric.GetLabel()[0].GetValue() == name {
				return metric.GetGauge().GetValue()
			}
		}
	}
	require.FailNow(t, "no such metric")
	return 0
}

// In a registry of component-base, beside the gauge that it makes of the same metric.
func TestAliasesInARegistryOfComponentBase(t *testing.T) {
	theirs := componentmetrics.NewGaugeVec(&componentmetrics.GaugeOpts{
		Name: masterStatus, StabilityLevel: componentmetrics.ALPHA,
		Help: "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease. Please make sure to group by name.",
	}, []string{"name"})
	for _, alpha := range []bool{true, false} {
		registry := componentmetrics.NewKubeRegistry()
		registry.MustRegister(theirs)
		theirs.WithLabelValues("manager").Set(1)
		registry.RawMustRegister(aliases(t, leadermetrics.Config{Alpha: alpha}))
		if alpha {
			require.Equal(t, []string{"invoicer", "manager"}, names(t, registry))
			continue
		}
		_, err := registry.Gather()
		require.ErrorContains(t, err, "but should have")
	}
}
