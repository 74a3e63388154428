package monitoring

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The dashboard can be imported anywhere: it says of which schema it is, names no data source, and
// explains each panel.
func TestDashboard(t *testing.T) {
	d, err := ReadDashboard(".")
	require.NoError(t, err)
	require.GreaterOrEqual(t, d.SchemaVersion, 36, "of Grafana 9")
	require.LessOrEqual(t, d.SchemaVersion, 41, "of Grafana 12")
	require.Nil(t, d.ID, "the number of one in a database")
	require.Empty(t, d.UID)
	require.NotEmpty(t, d.Title)
	require.NotEmpty(t, d.Description)
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
		if v.Type == "query" {
			require.Equal(t, &source{"prometheus", "${datasource}"}, v.Datasource, v.Name)
		}
	}
	require.True(t, variables["datasource"] && variables["namespace"] && variables["lease"])
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	require.NoError(t, err)
	for _, uid := range regexp.MustCompile(`"uid": "([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		require.Equal(t, "${datasource}", uid[1])
	}
	ids, titles, known := map[int]bool{}, map[string]bool{}, scraped(t)
	for i, p := range d.Panels {
		require.False(t, ids[p.ID], "two panels %d", p.ID)
		require.False(t, titles[p.Title], "two panels %q", p.Title)
		ids[p.ID], titles[p.Title] = true, true
		require.NotEmpty(t, p.Title)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for _, other := range d.Panels[:i] {
			require.False(t, overlap(p, other), "%q over %q", p.Title, other.Title)
		}
		if p.Type == "row" {
			continue
		}
		require.Contains(t, []string{"stat", "timeseries"}, p.Type)
		require.Equal(t, &source{"prometheus", "${datasource}"}, p.Datasource, p.Title)
		require.NotEmpty(t, p.Description, p.Title)
		require.True(t, strings.HasSuffix(p.Description, "."), p.Title)
		require.Contains(t, []string{"short", "s", "dateTimeFromNow"}, p.FieldConfig.Defaults.Unit, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, q := range p.Targets {
			require.NotEmpty(t, q.LegendFormat, q.Expr)
			for _, name := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				require.True(t, variables[name[1]], q.Expr)
			}
			require.NoError(t, known.uses(q.Expr))
		}
	}
	require.Greater(t, len(titles), 15)
}

func overlap(a, b Panel) bool {
	p, q := a.GridPos, b.GridPos
	return p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H
}

// Every query of the dashboard is one that Prometheus parses.
func TestQueriesParse(t *testing.T) {
	d, err := ReadDashboard(".")
	require.NoError(t, err)
	check := func(expr string) (string, error) {
		text, err := ruleFile([]rule{{Alert: "Query", Expr: expr}})
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), text, 0o600))
		return promtool(t, dir, "", "check", "rules", "rules.yaml")
	}
	var all []string
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, "("+q.Query("1m")+")")
		}
	}
	require.Greater(t, len(all), 20)
	said, err := check(strings.Join(all, " or "))
	require.NoError(t, err, said)
	_, err = check(all[0] + " or sum(hotseat_active{)")
	require.Error(t, err)
}

// The alerts use metrics that there are, with labels and values that they have.
func TestRulesUseWhatThereIs(t *testing.T) {
	known := scraped(t)
	for _, r := range rules(t) {
		require.NoError(t, known.uses(r.Expr), r.Alert)
	}
	for _, wrong := range []string{
		`hotseat_activ`, `hotseat_terms_total{reason="lapsed"}`, `hotseat_terms_total{cause="expired"}`, `1 + 1`,
		`hotseat_guard_checks_total{result=~"stale|conflicts"}`, `sum by (leese) (hotseat_active)`,
	} {
		require.Error(t, known.uses(wrong), wrong)
	}
}

// Prometheus' own check of names, types and help texts finds nothing.
func TestMetricsAreClean(t *testing.T) {
	said, err := promtool(t, ".", scrape(t), "check", "metrics")
	require.NoError(t, err, said)
	require.Empty(t, strings.TrimSpace(said))
	_, err = promtool(t, ".", "# TYPE hotseat_terms counter\nhotseat_terms 1\n", "check", "metrics")
	require.Error(t, err)
}

// The tests of alerts give Prometheus series that there are.
func TestScenesUseWhatThereIs(t *testing.T) {
	known := scraped(t)
	for series := range healthy() {
		require.NoError(t, known.uses(series))
	}
	for _, s := range scenes() {
		require.Regexp(t, `^\d+m(\d+s)?$`, s.at)
		minutes, err := strconv.Atoi(strings.Split(s.at, "m")[0])
		require.NoError(t, err)
		require.Less(t, minutes, 30, "the series end")
		require.True(t, slices.IsSorted(s.fires))
	}
}
