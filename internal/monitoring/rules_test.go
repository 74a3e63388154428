package monitoring

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/services"
)

// promtool runs Prometheus' tool in a folder, and returns what it says.
func promtool(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	tool, err := services.Program(t.Context(), "promtool", "prometheus")
	services.Need(t, err)
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func rules(t *testing.T) []rule {
	all, err := readRules(".")
	require.NoError(t, err)
	require.Len(t, all, 11)
	return all
}

// written returns a folder with the alerts as a file for Prometheus.
func written(t *testing.T) string {
	text, err := ruleFile(rules(t))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), text, 0o600))
	return dir
}

func TestRulesAreValid(t *testing.T) {
	said, err := promtool(t, written(t), "", "check", "rules", "--lint-fatal", "rules.yaml")
	require.NoError(t, err, said)
}

// Faster alerts are the same, but for their times.
func TestFasterRules(t *testing.T) {
	slow := rules(t)
	file, err := FasterRules(".", 12)
	require.NoError(t, err)
	text, err := json.Marshal(file)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), text, 0o600))
	said, err := promtool(t, dir, "", "check", "rules", "rules.yaml")
	require.NoError(t, err, said)
	var fast struct{ Groups []struct{ Rules []rule } }
	require.NoError(t, json.Unmarshal(text, &fast))
	for i, r := range fast.Groups[0].Rules {
		require.Equal(t, slow[i].Alert, r.Alert)
		timed := slow[i].For != "" || regexp.MustCompile(`\[\w+\]|> 120\b`).MatchString(slow[i].Expr)
		require.Equal(t, timed, slow[i].For != r.For || strings.TrimSpace(slow[i].Expr) != r.Expr, r.Alert)
		require.NotRegexp(t, `\[\d+m\]|> 120`, r.Expr)
	}
}

// Each alert leads to its own part of the page, and the page has no others.
func TestRunbooks(t *testing.T) {
	page, err := os.ReadFile("../docs/guide/runbooks.md")
	require.NoError(t, err)
	var headings, alerts []string
	for _, h := range regexp.MustCompile(`(?m)^## (Hotseat\w+)$`).FindAllStringSubmatch(string(page), -1) {
		headings = append(headings, h[1])
	}
	for _, r := range rules(t) {
		alerts = append(alerts, r.Alert)
		require.Equal(t, "https://github.com/hotseat-go/hotseat/blob/main/internal/docs/guide/runbooks.md#"+
			strings.ToLower(r.Alert), r.Annotations["runbook_url"])
		require.NotEmpty(t, r.Annotations["summary"])
		require.NotEmpty(t, r.Annotations["description"])
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"])
	}
	require.Equal(t, alerts, headings)
	for _, part := range strings.Split(string(page), "\n## Hotseat")[1:] {
		require.Contains(t, part, "\n**Look at**", part)
		require.Contains(t, part, "\n**Do**", part)
	}
}

// scene is what Prometheus scraped every 15 s, and which alerts fire at some second of it.
type scene struct {
	name   string
	series map[string]string // in the notation of promtool, over those of a healthy service
	at     string
	fires  []string
}

// healthy is a service with one active and two standbys, for half an hour.
func healthy() map[string]string {
	series := map[string]string{
		pod("hotseat_acquired_total", "a", "reason", "released"):                     "1+0x120",
		`hotseat_guard_checks_total{namespace="shop",guard="ledger",result="stale"}`: "0+0x120",
		`hotseat_guard_checks_total{namespace="shop",guard="ledger",result="ok"}`:    "0+10x120",
	}
	for _, name := range []string{"a", "b", "c"} {
		active, since := "0+0x120", "0+0x120"
		if name == "a" {
			active, since = "1+0x120", "1+0x120"
		}
		standby := map[string]string{"0+0x120": "1+0x120", "1+0x120": "0+0x120"}[active]
		for metric, values := range map[string]string{
			"hotseat_active": active, "hotseat_active_since_timestamp_seconds": since,
			"hotseat_renewals_late_total": "0+0x120", "hotseat_overrun": "0+0x120",
			"hotseat_overruns_total": "0+0x120", "hotseat_lease_missing": "0+0x120",
			"hotseat_draining_since_timestamp_seconds": "0+0x120", "hotseat_ready": "1+0x120",
		} {
			series[pod(metric, name)] = values
		}
		series[pod("hotseat_state", name, "state", "standby")] = standby
		series[pod("hotseat_terms_total", name, "reason", "expired")] = "0+0x120"
		series[pod("hotseat_terms_total", name, "reason", "shutdown")] = "0+0x120"
		series[pod("hotseat_guard_failures_total", name, "reason", "unavailable")] = "0+0x120"
	}
	return series
}

// pod is a series of a replica.
func pod(metric, name string, labels ...string) string {
	series := metric + `{namespace="shop",lease="invoicer",pod="` + name + `"`
	for i := 0; i < len(labels); i += 2 {
		series += "," + labels[i] + `="` + labels[i+1] + `"`
	}
	return series + "}"
}

func since(name string) string { return pod("hotseat_active_since_timestamp_seconds", name) }

func scenes() []scene {
	active, standby := func(name string) string { return pod("hotseat_active", name) },
		func(name string) string { return pod("hotseat_state", name, "state", "standby") }
	overruns := pod("hotseat_overruns_total", "a")
	expired := pod("hotseat_terms_total", "a", "reason", "expired")
	failures := pod("hotseat_guard_failures_total", "a", "reason", "unavailable")
	stale := `hotseat_guard_checks_total{namespace="shop",guard="ledger",result="stale"}`
	drain := pod("hotseat_draining_since_timestamp_seconds", "a")
	gone := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		gone[active(name)], gone[since(name)] = "1+0x19 stale _x100", "1+0x19 stale _x100"
	}
	return []scene{
		{"a healthy service", nil, "29m", nil},

		{"HotseatNoneActive fires", map[string]string{active("a"): "1+0x19 0+0x100", since("a"): "1+0x19 0+0x100"}, "7m30s", []string{"HotseatNoneActive"}},
		{"HotseatNoneActive is silent in a failover", map[string]string{active("a"): "1+0x19 0+0x4 1+0x90"}, "6m15s", nil},
		{"HotseatNoneActive is silent in a gap", map[string]string{active("a"): "1+0x19 stale _x2 1+0x90"}, "5m45s", nil},

		{"HotseatTwoActive fires", map[string]string{active("b"): "0+0x19 1+0x100", since("b"): "0+0x19 302+0x100"}, "5m15s", []string{"HotseatTwoActive"}},
		// a was scraped right before it released the Lease, and then not for a while.
		{"HotseatTwoActive is silent in a handover", map[string]string{
			active("a"): "1+0x20 _x4 0+0x90", active("b"): "0+0x20 1+0x100", since("b"): "0+0x20 301+0x100",
		}, "5m45s", nil},

		{"HotseatFlapping fires", map[string]string{
			since("a"): "1+0x10 0 0 300 0 0 400 0 0 500 0 0 600 0 0 700+0x90",
		}, "8m", []string{"HotseatFlapping"}},
		{"HotseatFlapping is silent in a rollout", map[string]string{
			since("a"): "1+0x10 0 stale _x100", since("b"): "0+0x10 150+0x4 0 stale _x100", since("c"): "0+0x15 230+0x100",
			active("b"): "0+0x10 1+0x4 0 stale", active("a"): "1+0x9 0+0x100", active("c"): "0+0x15 1+0x100",
		}, "6m", nil},

		{"HotseatRenewalsNearDeadline fires for a late renewal", map[string]string{pod("hotseat_renewals_late_total", "a"): "0+0x20 1+0x99"}, "6m", []string{"HotseatRenewalsNearDeadline"}},
		{"HotseatRenewalsNearDeadline fires for an expired term", map[string]string{expired: "0+0x20 1+0x99"}, "6m", []string{"HotseatRenewalsNearDeadline"}},
		{"HotseatRenewalsNearDeadline is silent after a while", map[string]string{expired: "0+0x20 1+0x99", pod("hotseat_terms_total", "a", "reason", "shutdown"): "0+1x120"}, "16m", nil},

		{"HotseatOverrun fires", map[string]string{pod("hotseat_overrun", "a"): "0+0x20 1+0x99"}, "5m15s", []string{"HotseatOverrun"}},
		{"HotseatOverrun fires for what no scrape saw", map[string]string{overruns: "0+0x20 1+0x99"}, "6m", []string{"HotseatOverrun"}},
		{"HotseatOverrun is silent after a while", map[string]string{overruns: "0+0x20 1+0x99"}, "11m", nil},

		{"HotseatDrainStuck fires", map[string]string{drain: "0+0x20 301+0x99"}, "7m15s", []string{"HotseatDrainStuck"}},
		{"HotseatDrainStuck is silent in a drain", map[string]string{drain: "0+0x20 301+0x99"}, "6m45s", nil},

		{"HotseatStaleWritesRefused fires", map[string]string{stale: "0+0x20 1+0x99"}, "6m", []string{"HotseatStaleWritesRefused"}},
		{"HotseatStaleWritesRefused is silent later", map[string]string{stale: "3+0x120"}, "20m", nil},

		{"HotseatGuardFailing fires", map[string]string{failures: "0+0x20 1+1x99"}, "11m", []string{"HotseatGuardFailing"}},
		{"HotseatGuardFailing is silent for one failure", map[string]string{failures: "0+0x20 1+0x99"}, "9m", nil},

		{"HotseatStandbysTooFew fires", map[string]string{standby("b"): "1+0x20 stale", standby("c"): "1+0x20 0+0x99"}, "17m", []string{"HotseatStandbysTooFew"}},
		{"HotseatStandbysTooFew fires if none is ready", map[string]string{pod("hotseat_ready", "b"): "1+0x20 0+0x99", pod("hotseat_ready", "c"): "1+0x20 0+0x99"}, "17m", []string{"HotseatStandbysTooFew"}},
		{"HotseatStandbysTooFew is silent if one is", map[string]string{pod("hotseat_ready", "b"): "1+0x20 0+0x99"}, "29m", nil},
		{"HotseatStandbysTooFew is silent in a rollout", map[string]string{standby("b"): "1+0x20 stale", standby("c"): "1+0x20 0+0x20 1+0x70"}, "12m", nil},
		{"HotseatStandbysTooFew is silent with one", map[string]string{standby("b"): "1+0x20 stale"}, "29m", nil},

		{"HotseatLeaseMissing fires", map[string]string{pod("hotseat_lease_missing", "b"): "0+0x20 1+0x99"}, "6m15s", []string{"HotseatLeaseMissing"}},
		{"HotseatLeaseMissing is silent when it is back soon", map[string]string{pod("hotseat_lease_missing", "b"): "0+0x20 1+0x2 0+0x90"}, "6m", nil},

		{"HotseatNoMetrics fires", gone, "10m30s", []string{"HotseatNoMetrics"}},
		{"HotseatNoMetrics is silent in a gap", gone, "9m", nil},
	}
}

// Each alert fires when it should, alone, and not when it should not.
func TestAlerts(t *testing.T) {
	for _, r := range rules(t) {
		for _, outcome := range []string{" fires", " is silent"} {
			require.True(t, slices.ContainsFunc(scenes(), func(s scene) bool {
				return strings.HasPrefix(s.name, r.Alert+outcome) && slices.Contains(s.fires, r.Alert) == (outcome == " fires")
			}), "no scene in which %s%s", r.Alert, outcome)
		}
	}
	dir := written(t)
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			said, err := play(t, dir, s)
			require.NoError(t, err, said)
		})
	}
}

// A scene whose outcome is wrong is found.
func TestWrongScenes(t *testing.T) {
	dir := written(t)
	_, err := play(t, dir, scene{"nothing is wrong", nil, "10m", []string{"HotseatOverrun"}})
	require.Error(t, err)
	_, err = play(t, dir, scene{"two are wrong", map[string]string{
		pod("hotseat_lease_missing", "b"): "1+0x100", pod("hotseat_overrun", "b"): "1+0x100",
	}, "10m", []string{"HotseatOverrun"}})
	require.Error(t, err)
}

func play(t *testing.T, dir string, s scene) (string, error) {
	type input struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	type firing struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
	series := healthy()
	for name, values := range s.series {
		require.Contains(t, series, name, "an unknown series")
		series[name] = values
	}
	inputs, want := []input{}, []firing{}
	for name, values := range series {
		inputs = append(inputs, input{name, values})
	}
	for _, alert := range s.fires {
		want = append(want, firing{`{alertname="` + alert + `"}`, 1})
	}
	text, err := json.Marshal(map[string]any{
		"rule_files": []string{"rules.yaml"}, "evaluation_interval": "15s",
		"tests": []any{map[string]any{
			"interval": "15s", "input_series": inputs,
			"promql_expr_test": []any{map[string]any{
				"expr": `count by (alertname) (ALERTS{alertstate="firing"})`, "eval_time": s.at, "exp_samples": want,
			}},
		}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test.yaml"), text, 0o600))
	return promtool(t, dir, "", "test", "rules", "test.yaml")
}
