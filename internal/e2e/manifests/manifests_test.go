package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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

// Every component can be added, alone and with all others, and adds something.
func TestComponents(t *testing.T) {
	base, err := Build(folder)
	require.NoError(t, err)
	entries, err := os.ReadDir(filepath.Join(folder, "components"))
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	require.NotEmpty(t, all)
	for _, set := range append([][]string{all}, split(all)...) {
		built, err := Build(folder, set...)
		require.NoError(t, err, set)
		require.NotEqual(t, string(base), string(built), set)
		_, err = Objects(built)
		require.NoError(t, err, set)
	}
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
	require.ElementsMatch(t, []string{"Deployment", "Service"}, names["models"])
	require.Len(t, names, 2)
}

func split(all []string) (sets [][]string) {
	for _, name := range all {
		sets = append(sets, []string{name})
	}
	return sets
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
