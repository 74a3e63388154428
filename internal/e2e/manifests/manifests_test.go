package manifests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const folder = "../../../examples/deploy"

func TestBase(t *testing.T) {
	built, err := Build(folder)
	require.NoError(t, err)
	objects, err := Objects(built)
	require.NoError(t, err)
	var kinds []string
	for _, o := range objects {
		m, err := meta.Accessor(o)
		require.NoError(t, err)
		require.Equal(t, "invoicer", m.GetName())
		kinds = append(kinds, o.GetObjectKind().GroupVersionKind().Kind)
		switch o := o.(type) {
		case *coordv1.Lease:
			require.Equal(t, coordv1.LeaseSpec{}, o.Spec, "what is applied again must not touch a term")
		case *appsv1.Deployment:
			require.Equal(t, "example.com/invoicer:1.0.0", o.Spec.Template.Spec.Containers[0].Image)
		}
	}
	require.ElementsMatch(t, []string{
		"ServiceAccount", "Role", "RoleBinding", "Lease", "Deployment", "PodDisruptionBudget",
	}, kinds)
}

// Every component can be added, alone and with all others that it goes with, and adds something.
func TestComponents(t *testing.T) {
	base, err := Build(folder)
	require.NoError(t, err)
	entries, err := os.ReadDir(filepath.Join(folder, "components"))
	require.NoError(t, err)
	var sets [][]string
	all := map[string][]string{} // by the way of traffic: a Service has one
	for _, e := range entries {
		sets = append(sets, []string{e.Name()})
		for _, way := range []string{byLabel, bySlice} {
			if e.Name() == way || !strings.HasPrefix(e.Name(), "traffic-") {
				all[way] = append(all[way], e.Name())
			}
		}
	}
	require.Len(t, all, 2)
	for _, set := range append(sets, all[byLabel], all[bySlice]) {
		built, err := Build(folder, set...)
		require.NoError(t, err, set)
		require.NotEqual(t, string(base), string(built), set)
		_, err = Objects(built)
		require.NoError(t, err, set)
	}
	_, err = Build(folder, byLabel, bySlice)
	require.ErrorContains(t, err, "Service", "traffic has one way")
}

// The gateway's folder is an overlay of the base: nothing of it keeps the base's name.
func TestGateway(t *testing.T) {
	built, err := Build("../../../examples/gateway/deploy")
	require.NoError(t, err)
	require.NotContains(t, string(built), "invoicer")
	objects, err := Objects(built)
	require.NoError(t, err)
	names := map[string][]string{}
	for _, o := range objects {
		m, err := meta.Accessor(o)
		require.NoError(t, err)
		names[m.GetName()] = append(names[m.GetName()], o.GetObjectKind().GroupVersionKind().Kind)
		switch o := o.(type) {
		case *corev1.Service:
			if m.GetName() == "gateway" {
				require.Equal(t, map[string]string{"app": "gateway", "hotseat-go.github.io/role": "active"}, o.Spec.Selector)
			}
		case *appsv1.Deployment:
			template := o.Spec.Template
			require.Equal(t, map[string]string{"app": m.GetName()}, template.Labels, "the label of the active is not in it")
			require.Equal(t, template.Labels, o.Spec.Selector.MatchLabels)
			for _, c := range template.Spec.TopologySpreadConstraints {
				require.Equal(t, template.Labels, c.LabelSelector.MatchLabels)
			}
		case *policyv1.PodDisruptionBudget:
			require.Equal(t, map[string]string{"app": "gateway"}, o.Spec.Selector.MatchLabels)
		}
	}
	require.ElementsMatch(t, []string{
		"ServiceAccount", "Role", "RoleBinding", "Lease", "Deployment", "PodDisruptionBudget", "Service",
	}, names["gateway"])
	require.ElementsMatch(t, []string{"Role", "RoleBinding"}, names["gateway-traffic"])
	require.ElementsMatch(t, []string{
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	}, names["gateway-label.hotseat-go.github.io"])
	require.ElementsMatch(t, []string{"Deployment", "Service"}, names["models"])
	require.Len(t, names, 4)
}

const (
	byLabel = "traffic-by-label"
	bySlice = "traffic-by-slice"
)

// Each component for traffic or evidence binds a Role of its own to the account of the replicas, and
// the replicas get variables.
func TestOptIns(t *testing.T) {
	for component, role := range map[string]string{
		"evidence": "invoicer-evidence", byLabel: "invoicer-traffic", bySlice: "invoicer-traffic",
	} {
		built, err := Build(folder, component)
		require.NoError(t, err)
		objects, err := Objects(built)
		require.NoError(t, err)
		roles, env := map[string]bool{}, map[string]bool{}
		for _, o := range objects {
			switch o := o.(type) {
			case *rbacv1.Role:
				roles[o.Name] = len(o.Rules) > 0
			case *rbacv1.RoleBinding:
				require.Equal(t, o.Name, o.RoleRef.Name)
				require.Equal(t, []rbacv1.Subject{{Kind: "ServiceAccount", Name: "invoicer"}}, o.Subjects)
				require.True(t, roles[o.Name], "Roles come before what binds them")
			case *appsv1.Deployment:
				require.Len(t, o.Spec.Template.Spec.Containers, 1, "the patch meets the container")
				for _, e := range o.Spec.Template.Spec.Containers[0].Env {
					env[e.Name] = true
				}
			}
		}
		require.Equal(t, map[string]bool{"invoicer": true, role: true}, roles, component)
		for _, name := range map[string][]string{
			"evidence": {"EVIDENCE", "LEASE_DURATION", "RENEW_DEADLINE", "RETRY_PERIOD"},
			byLabel:    {"TRAFFIC", "POD_UID"},
			bySlice:    {"TRAFFIC", "POD_UID", "POD_IPS", "NODE_NAME"},
		}[component] {
			require.True(t, env[name], "%s: %s", component, name)
		}
		require.True(t, env["POD_NAME"] && env["POD_NAMESPACE"], "what the base has is still there")
	}
}

// What the component monitoring scrapes is a port of the Pods, which answers Prometheus on that path.
// The dashboard is one that Grafana's sidecar finds.
func TestMonitoring(t *testing.T) {
	built, err := Build(folder, "monitoring")
	require.NoError(t, err)
	objects, err := Objects(built)
	require.NoError(t, err)
	var deployment *appsv1.Deployment
	var dashboard *corev1.ConfigMap
	others := map[string]map[string]any{}
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			deployment = o
		case *corev1.ConfigMap:
			dashboard = o
		case *unstructured.Unstructured:
			require.Equal(t, Monitoring, o.GetAPIVersion())
			others[o.GetKind()] = o.Object["spec"].(map[string]any)
		}
	}
	require.Len(t, others, 2)
	require.NotEmpty(t, others["PrometheusRule"]["groups"])
	require.Equal(t, "1", dashboard.Labels["grafana_dashboard"])
	require.True(t, json.Valid([]byte(dashboard.Data["dashboard.json"])))

	require.Equal(t, map[string]any{"app": "invoicer"}, others["PodMonitor"]["selector"].(map[string]any)["matchLabels"])
	require.Equal(t, map[string]string{"app": "invoicer"}, deployment.Spec.Template.Labels)
	endpoint := others["PodMonitor"]["podMetricsEndpoints"].([]any)[0].(map[string]any)
	require.Equal(t, true, endpoint["honorLabels"])
	require.Equal(t, deployment.Spec.Template.Spec.Containers[0].Ports[0].Name, endpoint["port"])
	worker, err := os.ReadFile("../../../examples/worker/main.go")
	require.NoError(t, err)
	require.Contains(t, string(worker), `mux.Handle("`+endpoint["path"].(string)+`", promhttp.Handler())`)
}

func TestWrong(t *testing.T) {
	_, err := Build(folder, "no-such-component")
	require.ErrorContains(t, err, "no-such-component")
	_, err = Build(t.TempDir())
	require.Error(t, err, "no kustomization.yaml")

	mine := t.TempDir()
	text := "resources: []\n"
	require.NoError(t, os.WriteFile(filepath.Join(mine, "kustomization.yaml"), []byte(text), 0o600))
	_, err = Build(mine, "x")
	require.ErrorContains(t, err, Placeholder)

	built, err := Build(folder)
	require.NoError(t, err)
	misspelt := strings.Replace(string(built), "serviceAccountName:", "serviceAcountName:", 1)
	require.NotEqual(t, string(built), misspelt)
	_, err = Objects([]byte(misspelt))
	require.ErrorContains(t, err, "serviceAcountName")
}
