package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	operator "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// The objects are those of the Prometheus operator: it knows all their fields.
func TestOperatorKnowsTheObjects(t *testing.T) {
	read := func(file string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		return text
	}
	var monitor operator.PodMonitor
	require.NoError(t, yaml.UnmarshalStrict(read("podmonitor.yaml"), &monitor))
	require.Equal(t, operator.PodMonitorsKind, monitor.Kind)
	require.Len(t, monitor.Spec.PodMetricsEndpoints, 1)
	require.True(t, monitor.Spec.PodMetricsEndpoints[0].HonorLabels)

	var alerts operator.PrometheusRule
	require.NoError(t, yaml.UnmarshalStrict(read("rules.yaml"), &alerts))
	require.Equal(t, operator.PrometheusRuleKind, alerts.Kind)
	require.Len(t, alerts.Spec.Groups[0].Rules, len(rules(t)))

	require.Error(t, yaml.UnmarshalStrict([]byte("kind: PodMonitor\nspec: {podMetricEndpoints: []}\n"), &monitor))
}
