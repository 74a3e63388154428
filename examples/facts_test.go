package examples

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// metrics are those that an elector describes, each with its own label, and those of a guard.
func metrics(t *testing.T) (elector map[string]string, guard map[string]string) {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	e, err := singleton.New(c.Client("a"), singleton.Config{Namespace: "shop", Name: "invoicer"})
	require.NoError(t, err)
	memory, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	counted, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
	require.NoError(t, err)
	return described(e), described(counted)
}

func described(c prometheus.Collector) map[string]string {
	descs, found := make(chan *prometheus.Desc, 64), map[string]string{}
	c.Describe(descs)
	close(descs)
	for desc := range descs {
		m := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{(\w*)\}`).FindStringSubmatch(desc.String())
		found[m[1]] = m[2]
	}
	return found
}

// The metrics that the pages name exist, with that label and these values of it, and the table of
// operations.md has all.
func TestMetricsInTheDocs(t *testing.T) {
	elector, guard := metrics(t)
	require.Len(t, elector, 13)
	values := valuesOf(t)
	for _, p := range guidePages(t) {
		for _, m := range regexp.MustCompile(`\b(hotseat_[a-z_]+)(?:\{(\w+)(?:=~?"([\w|]+)")?\})?`).FindAllStringSubmatch(p.prose, -1) {
			label, known := elector[m[1]]
			if !known {
				label, known = guard[m[1]]
			}
			switch {
			case !known:
				t.Errorf("%s names %s, which nobody describes", p.path, m[1])
			case m[2] != "" && m[2] != label:
				t.Errorf("%s names %s, whose label is %q", p.path, m[0], label)
			case m[3] != "":
				for value := range strings.SplitSeq(m[3], "|") {
					if !slices.Contains(values[m[1]], value) {
						t.Errorf("%s names %s, whose values are %v", p.path, m[0], values[m[1]])
					}
				}
			}
		}
	}
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(hotseat_\\w+)(?:\\{(\\w+)\\})?` \\|").FindAllStringSubmatch(read(t, guide+"operations.md"), -1) {
		table[row[1]] = row[2]
	}
	require.Equal(t, elector, table, "the table of operations.md")
}

// valuesOf the labels of an elector's metrics.
func valuesOf(t *testing.T) map[string][]string {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	e, err := singleton.New(c.Client("a"), singleton.Config{Namespace: "shop", Name: "invoicer"})
	require.NoError(t, err)
	families, err := metricsOf(e).Gather()
	require.NoError(t, err)
	values := map[string][]string{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if name := label.GetName(); name != "namespace" && name != "lease" {
					values[family.GetName()] = append(values[family.GetName()], label.GetValue())
				}
			}
		}
	}
	return values
}

// constant returns the text of a literal, or of literals that are joined by +.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, ok2 := constant(e.Y)
		return left + right, ok && ok2 && e.Op == token.ADD
	}
	return "", false
}

// The lines of a log that the table of operations.md explains are in the source, and so are the
// reasons of the table of guards.md.
func TestLogLinesInTheDocs(t *testing.T) {
	var messages []string
	walk(t, ".go", func(path string) {
		if strings.HasSuffix(path, "_test.go") || !regexp.MustCompile(`^\.\./(singleton|internal/protocol|internal/outage)/[^/]*$`).MatchString(path) {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text, ok := constant(e); ok {
					messages = append(messages, text)
				}
			}
			return true
		})
	})
	_, table, ok := strings.Cut(read(t, guide+"operations.md"), "### What the lines mean\n")
	require.True(t, ok)
	table, _, ok = strings.Cut(table, "\n## ")
	require.True(t, ok)
	told := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			told++
			if !slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, message[1]) }) {
				t.Errorf("nobody logs %q", message[1])
			}
		}
	}
	require.Greater(t, told, 20)
	for _, reason := range []string{"never held", "released", "unchanged for a lease duration", "our own term was taken from the Lease"} {
		require.Contains(t, messages, reason)
		require.Contains(t, table, "`"+reason+"`")
	}

	_, reasons, ok := strings.Cut(read(t, guide+"guards.md"), "\n| reason | ")
	require.True(t, ok)
	reasons, _, _ = strings.Cut(reasons, "\n\n")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(reasons, -1) {
		for _, reason := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, reason[1])
		}
	}
	var kinds []string
	for _, kind := range fencing.Kinds() {
		kinds = append(kinds, string(kind))
	}
	require.ElementsMatch(t, kinds, listed)
}
