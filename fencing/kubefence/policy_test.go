package kubefence_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
)

// What the API server makes of the policy is tested on a real one, in internal/e2e.

func policy() kubefence.Policy {
	return kubefence.Policy{
		Name: "invoicer", Scope: "shop/invoicer",
		Resources:  []schema.GroupResource{{Resource: "configmaps"}, {Group: "apps", Resource: "deployments"}},
		Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "shop"}},
		Deleters:   []string{"system:serviceaccount:shop:invoicer"},
		Announced:  &kubefence.Announced{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "invoicer"},
	}
}

// The manifest is the objects.
func TestPolicyManifest(t *testing.T) {
	t.Parallel()
	wantPolicy, wantBinding, err := policy().Build()
	require.NoError(t, err)
	manifest, err := policy().YAML()
	require.NoError(t, err)
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 1024)
	var gotPolicy admission.ValidatingAdmissionPolicy
	var gotBinding admission.ValidatingAdmissionPolicyBinding
	require.NoError(t, decoder.Decode(&gotPolicy))
	require.NoError(t, decoder.Decode(&gotBinding))
	require.Equal(t, *wantPolicy, gotPolicy)
	require.Equal(t, *wantBinding, gotBinding)
	require.Equal(t, gotPolicy.Name, gotBinding.Spec.PolicyName)
}

func TestPolicyRefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*kubefence.Policy){
		"Policy.Scope":                  func(p *kubefence.Policy) { p.Scope = `a"b` },
		"Policy.Name is empty":          func(p *kubefence.Policy) { p.Name = "" },
		"Policy.Resources is empty":     func(p *kubefence.Policy) { p.Resources = nil },
		`Resources[0] is "pods/status"`: func(p *kubefence.Policy) { p.Resources = []schema.GroupResource{{Resource: "pods/status"}} },
		`Resources[0] is "*"`:           func(p *kubefence.Policy) { p.Resources = []schema.GroupResource{{Resource: "*"}} },
		"Policy.Objects are both nil":   func(p *kubefence.Policy) { p.Namespaces = nil },
		"the name of a user":            func(p *kubefence.Policy) { p.Scalers = []string{`me"] || true || "" in ["`} },
		"a scale shows no labels": func(p *kubefence.Policy) {
			p.Objects, p.Scalers = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, []string{"me"}
		},
		"Policy.Objects: ": func(p *kubefence.Policy) {
			p.Objects = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Is"}}}
		},
		"Policy.Announced is": func(p *kubefence.Policy) { p.Announced.Name = "" },
	} {
		p := policy()
		change(&p)
		_, _, err := p.Build()
		require.ErrorContains(t, err, want)
		_, err = p.YAML()
		require.ErrorContains(t, err, want)
	}
	p := policy()
	p.Resources, p.Scalers = []schema.GroupResource{{Resource: "pods"}}, []string{"me"}
	p.Objects = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	_, _, err := p.Build()
	require.NoError(t, err, "Pods have no scale")
	_, _, err = kubefence.Policy{}.Build()
	require.ErrorIs(t, err, fencing.ErrMalformed)
	require.Len(t, strings.Split(err.Error(), "\n"), 4, "all at once: %v", err)
}
