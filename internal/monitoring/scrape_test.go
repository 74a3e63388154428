package monitoring

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// gather scrapes an elector with all options, and a guard.
func gather(t *testing.T) []*dto.MetricFamily {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(c.Close)
	elector, err := singleton.New(c.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler), Evidence: silent{},
		Fencing: singleton.FencingConfig{Settle: time.Second},
	})
	require.NoError(t, err)
	memory, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	guard, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
	require.NoError(t, err)
	require.NoError(t, guard.Announce(t.Context(), fencing.Token{
		Scope: fencing.Scope("shop", "invoicer"), Epoch: 7, Term: strings.Repeat("0a", 16),
	}))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(elector, guard)
	families, err := registry.Gather()
	require.NoError(t, err)
	return families
}

type silent struct{}

func (silent) Identify(context.Context) (string, error)   { return "nobody", nil }
func (silent) Await(ctx context.Context, _ string) error  { <-ctx.Done(); return ctx.Err() }
func (silent) Dead(context.Context, string) (bool, error) { return false, nil }

// scrape is what Prometheus reads.
func scrape(t *testing.T) string {
	var text strings.Builder
	for _, family := range gather(t) {
		_, err := expfmt.MetricFamilyToText(&text, family)
		require.NoError(t, err)
	}
	return text.String()
}

// known are the metrics that there are: of each, the values of its labels.
type known map[string]map[string][]string

func scraped(t *testing.T) known {
	all := known{}
	for _, family := range gather(t) {
		name := family.GetName()
		labels := map[string][]string{"pod": nil, "namespace": nil} // Prometheus adds them
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != "namespace" {
					labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
				}
			}
		}
		all[name] = labels
		if family.GetType() == dto.MetricType_HISTOGRAM {
			labels["le"] = nil
			all[name+"_bucket"], all[name+"_sum"], all[name+"_count"] = labels, labels, labels
		}
	}
	return all
}

// uses returns what is wrong with an expression: a metric, a label or a value of one that nobody has.
func (k known) uses(expr string) error {
	metrics := regexp.MustCompile(`hotseat_\w+`).FindAllString(expr, -1)
	if len(metrics) == 0 {
		return fmt.Errorf("%s: uses no metric of hotseat", expr)
	}
	for _, name := range metrics {
		if _, ok := k[name]; !ok {
			return fmt.Errorf("%s: no metric %s", expr, name)
		}
	}
	for _, selector := range regexp.MustCompile(`(hotseat_\w+)\{([^}]*)\}`).FindAllStringSubmatch(expr, -1) {
		for _, m := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`).FindAllStringSubmatch(selector[2], -1) {
			values, ok := k[selector[1]][m[1]]
			if !ok {
				return fmt.Errorf("%s: %s has no label %s", expr, selector[1], m[1])
			}
			for value := range strings.SplitSeq(m[2], "|") {
				if values != nil && !strings.Contains(value, "$") && !slices.Contains(values, value) {
					return fmt.Errorf("%s: %s of %s is never %s", expr, m[1], selector[1], value)
				}
			}
		}
	}
	for _, by := range regexp.MustCompile(`\b(?:by|on) ?\(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if !slices.ContainsFunc(metrics, func(name string) bool { _, ok := k[name][strings.TrimSpace(label)]; return ok }) {
				return fmt.Errorf("%s: no label %s", expr, label)
			}
		}
	}
	return nil
}
