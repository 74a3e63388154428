//go:build unix

package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkKubefenceUpdate is kubefence's BenchmarkUpdate on a real API server, of ConfigMaps and without a policy; and beside both a bare
// update of one that has a mark, since what the server does about one annotation more is most of the guard's cost. The order is
// drawn anew each time, the figures are medians, the ratios those of medians.
func BenchmarkKubefenceUpdate(b *testing.B) {
	f := newFenced(b, sharedCluster(b))
	f.create("bare")
	f.create("marked", first)
	f.create("fenced", first)
	objects := f.objects()
	write := func(m *corev1.ConfigMap) error {
		m.Data = map[string]string{"at": time.Now().String()}
		return nil
	}
	bare := func(name string) func() error {
		return func() error {
			m, err := f.maps().Get(b.Context(), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if err := write(m); err != nil {
				return err
			}
			_, err = f.maps().Update(b.Context(), m, metav1.UpdateOptions{})
			return err
		}
	}
	kinds := [...]func() error{bare("bare"), bare("marked"), func() error {
		_, err := objects.Update(b.Context(), first, "fenced", write)
		return err
	}}
	var took [len(kinds)][]time.Duration
	for b.Loop() {
		for _, i := range rand.Perm(len(kinds)) {
			since := time.Now()
			require.NoError(b, kinds[i]())
			took[i] = append(took[i], time.Since(since))
		}
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2])
	}
	plain, marked, fenced := median(took[0]), median(took[1]), median(took[2])
	b.ReportMetric(plain, "bare-ns")
	b.ReportMetric(fenced, "fenced-ns")
	b.ReportMetric(fenced/plain, "x")
	b.ReportMetric(marked/plain, "marked-x")
	b.ReportMetric(0, "ns/op") // of all together, which says nothing
}
