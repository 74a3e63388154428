package structure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What the judge says of a graph that is made up.
func TestBroken(t *testing.T) {
	g := graph{}
	g.add("fmt", true, []string{"internal/fmtsort"}, nil)
	g.add("internal/fmtsort", true, nil, nil)
	g.add("k8s.io/client", false, []string{"fmt"}, nil)
	g.add(ours+"guard", false, []string{"fmt"}, []string{"testing", ours + "elector"})
	g.add(ours+"guard/kube", false, []string{"fmt", ours + "guard", ours + "helper", ours + "lease"}, nil)
	g.add(ours+"guards", false, []string{ours + "lease"}, nil)
	g.add(ours+"helper", false, []string{ours + "lease"}, nil)
	g.add(ours+"lease", false, []string{ours + "guard", "k8s.io/client"}, nil)
	g.add(ours+"elector", false, []string{ours + "helper", ours + "guard/kube"}, nil)

	for name, tt := range map[string]struct {
		rule rule
		want []string
	}{
		"an import":        {rule{from: "./guard/...", never: "./lease"}, []string{"./guard/kube must not reach ./lease, because x; but it does: ./guard/kube -> ./lease"}},
		"a path":           {rule{from: "./guard/...", never: "k8s.io/..."}, []string{"./guard/kube must not reach k8s.io/client, because x; but it does: ./guard/kube -> ./lease -> k8s.io/client"}},
		"none":             {rule{from: "./guard", never: "./lease k8s.io/..."}, nil},
		"not itself":       {rule{from: "./lease", never: "./lease"}, nil},
		"a path, not told": {rule{from: "./guard/...", never: "k8s.io/...", direct: true}, nil},
		"an import, told":  {rule{from: "./guards", never: "./lease", direct: true}, []string{"./guards must not reach ./lease, because x; but it does: ./guards -> ./lease"}},
		"excepted from":    {rule{from: "./guard/... !./guard/kube", never: "./lease"}, nil},
		"excepted never":   {rule{from: "./guard/kube", never: "./... !./guard !./helper !./lease"}, nil},
		"through what is excepted": {rule{from: "./elector", never: "./lease"}, []string{
			"./elector must not reach ./lease, because x; but it does: ./elector -> ./helper -> ./lease",
		}},
		"all but the standard library": {rule{from: "./guard ./helper", never: "... !std !./guard"}, []string{
			"./helper must not reach ./lease, because x; but it does: ./helper -> ./lease",
		}},
		"the standard library's own": {rule{from: "./guard", never: "internal/fmtsort"}, nil},
		"one of it":                  {rule{from: "./lease", never: "fmt"}, []string{"./lease must not reach fmt, because x; but it does: ./lease -> ./guard -> fmt"}},
		"tests": {rule{from: "test:./guard", never: "./lease"}, []string{
			"test:./guard must not reach ./lease, because x; but it does: test:./guard -> ./elector -> ./helper -> ./lease",
		}},
		"not tests": {rule{from: "./guard", never: "testing"}, nil},
	} {
		tt.rule.why = "x"
		require.Equal(t, tt.want, tt.rule.broken(g), name)
		require.Empty(t, tt.rule.unknown(g), name)
	}
	require.Equal(t, []string{"./gard/...", "./leas"}, rule{from: "./gard/... ./guard", never: "... !./leas k8s.io/none"}.unknown(g))
}
