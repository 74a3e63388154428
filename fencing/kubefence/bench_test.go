package kubefence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// BenchmarkUpdate plays an update bare, a read and a write of the version read, and fenced in turns, so that noise hits
// both, and reports the nanoseconds of both and their ratio. Both are two requests of client-go's to the in-process
// server. BenchmarkKubefenceUpdate of internal/e2e is the same on a real one.
func BenchmarkUpdate(b *testing.B) {
	cluster := apiserver.New(apiserver.Options{})
	b.Cleanup(cluster.Close)
	leases := cluster.Client("a").Leases(namespace)
	objects, err := kubefence.New(leases, kubefence.Config{Scope: guardtest.Scope})
	require.NoError(b, err)
	for _, name := range []string{"bare", "fenced"} {
		_, err := cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
		require.NoError(b, err)
	}
	kinds := [2]func() error{
		func() error {
			l, err := leases.Get(b.Context(), "bare", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if err := increment(l); err != nil {
				return err
			}
			_, err = leases.Update(b.Context(), l, metav1.UpdateOptions{})
			return err
		},
		func() error {
			_, err := objects.Update(b.Context(), one, "fenced", increment)
			return err
		},
	}
	var spent [2]time.Duration
	for b.Loop() {
		for i, update := range kinds {
			since := time.Now()
			if err := update(); err != nil {
				b.Fatal(err)
			}
			spent[i] += time.Since(since)
		}
	}
	n := float64(b.N)
	b.ReportMetric(float64(spent[0])/n, "bare-ns")
	b.ReportMetric(float64(spent[1])/n, "fenced-ns")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "x")
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
}
