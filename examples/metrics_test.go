package examples

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// shown is what a scrape shows of one metric.
type shown struct {
	kind   string
	label  string   // beside those that all have
	values []string // of that label
}

// scraped are the metrics of an elector with all options, and of a guard that has admitted a token.
func scraped(t *testing.T) (elector, guard map[string]shown) {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	e, err := singleton.New(c.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Evidence: noEvidence{},
		Fencing: singleton.FencingConfig{Settle: time.Second},
		Replica: singleton.ReplicaConfig{ProgressWithin: time.Minute},
	})
	require.NoError(t, err)
	memory, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	counted, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
	require.NoError(t, err)
	token := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 7, Term: strings.Repeat("0a", 16)}
	require.NoError(t, counted.Announce(t.Context(), token))
	return gathered(t, e), gathered(t, counted)
}

func gathered(t *testing.T, c prometheus.Collector) map[string]shown {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	found := map[string]shown{}
	for _, family := range families {
		s := shown{kind: strings.ToLower(family.GetType().String())}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if name := label.GetName(); !slices.Contains([]string{"namespace", "lease", "guard"}, name) {
					s.label, s.values = name, append(s.values, label.GetValue())
				}
			}
		}
		found[family.GetName()] = s
	}
	return found
}

// noEvidence is the option at its least.
type noEvidence struct{}

func (noEvidence) Identify(context.Context) (string, error)   { return "nobody", nil }
func (noEvidence) Await(ctx context.Context, _ string) error  { <-ctx.Done(); return ctx.Err() }
func (noEvidence) Dead(context.Context, string) (bool, error) { return false, nil }

// The metrics that the pages name exist, with that label and these values of it.
func TestMetricsInTheDocs(t *testing.T) {
	elector, guard := scraped(t)
	named := 0
	for _, p := range guidePages(t) {
		for _, m := range regexp.MustCompile(`\b(hotseat_[a-z_]+)(?:\{(\w+)(?:=~?"([\w|]+)")?\})?`).FindAllStringSubmatch(p.prose, -1) {
			named++
			metric, known := elector[m[1]]
			if !known {
				metric, known = guard[m[1]]
			}
			switch {
			case !known:
				t.Errorf("%s names %s, which nobody shows", p.path, m[1])
			case m[2] != "" && m[2] != metric.label:
				t.Errorf("%s names %s, whose label is %q", p.path, m[0], metric.label)
			case m[3] != "":
				for value := range strings.SplitSeq(m[3], "|") {
					if !slices.Contains(metric.values, value) {
						t.Errorf("%s names %s, whose values are %v", p.path, m[0], metric.values)
					}
				}
			}
		}
	}
	require.Greater(t, named, 30)
}

// The tables of metrics.md have all metrics, with their types, labels and units.
func TestTablesOfMetrics(t *testing.T) {
	elector, guard := scraped(t)
	page := parsePage(t, "internal/docs/guide/metrics.md").prose
	before, after, ok := strings.Cut(page, "\n## Of a guard\n")
	require.True(t, ok)
	for _, side := range []struct {
		text string
		have map[string]shown
	}{{before, elector}, {after, guard}} {
		table := map[string]string{}
		for _, row := range regexp.MustCompile("(?m)^\\| `(hotseat_\\w+)(?:\\{(\\w+)\\})?` \\| (\\w+) \\| ([\\w ]+) \\| .+ \\|$").FindAllStringSubmatch(side.text, -1) {
			table[row[1]] = row[2] + " " + row[3]
			require.Equal(t, strings.HasSuffix(strings.TrimSuffix(row[1], "_timestamp_seconds"), "_seconds"), row[4] == "seconds", row[1])
			require.Equal(t, strings.HasSuffix(row[1], "_timestamp_seconds"), row[4] == "Unix time", row[1])
			require.Equal(t, strings.HasSuffix(row[1], "_total"), row[3] == "counter", row[1])
		}
		have := map[string]string{}
		for name, metric := range side.have {
			have[name] = metric.label + " " + metric.kind
		}
		require.Equal(t, have, table)
	}
}

// The page has each word of the labels that it explains.
func TestWordsOfMetrics(t *testing.T) {
	elector, _ := scraped(t)
	words := parsePage(t, "internal/docs/guide/metrics.md").code()
	for _, name := range []string{"hotseat_state", "hotseat_acquired_total", "hotseat_terms_started_total", "hotseat_evidence_total"} {
		for _, value := range elector[name].values {
			require.Contains(t, words, value, name)
		}
	}
}
