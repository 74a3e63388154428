package main

import (
	"cmp"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/monitoring"
	"github.com/hotseat-go/hotseat/internal/monitoring/scraper"
)

// Every alert fires in some scene, and no scene waits for one that there is not.
func TestScenesHaveAllAlerts(t *testing.T) {
	file, err := monitoring.FasterRules("..", scraper.Factor)
	require.NoError(t, err)
	text, err := json.Marshal(file)
	require.NoError(t, err)
	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	require.NoError(t, json.Unmarshal(text, &rules))
	var have, fire []string
	for _, r := range rules.Groups[0].Rules {
		have = append(have, r.Alert)
	}
	for _, s := range scenes() {
		require.True(t, slices.IsSorted(s.fires), s.name)
		fire = append(fire, s.fires...)
	}
	slices.Sort(have)
	slices.Sort(fire)
	require.Equal(t, have, slices.Compact(fire))
}

func TestLegend(t *testing.T) {
	require.Equal(t, "ledger: stale", legend("{{guard}}: {{result}}", map[string]string{"guard": "ledger", "result": "stale"}))
	require.Equal(t, "p99", legend("p99", nil))
}

// A process is dead once it is gone, or another one has its number.
func TestProcessesAreEvidence(t *testing.T) {
	var p processes
	own, err := p.Identify(t.Context())
	require.NoError(t, err)
	for identity, want := range map[string]bool{own: false, own + "1": true, "999999999/1": true} {
		dead, err := p.Dead(t.Context(), identity)
		require.NoError(t, err)
		require.Equal(t, want, dead, identity)
	}
	_, err = p.Dead(t.Context(), "anything")
	require.Error(t, err)
}

// RESULTS.md is of these scenes, and in each the right alerts fired.
func TestResults(t *testing.T) {
	text, err := os.ReadFile("../RESULTS.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| \d+ \| (.+) \| (.+) \| \d+ \| (.+) \|$`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, rows, len(scenes()))
	for i, s := range scenes() {
		require.Equal(t, s.name, rows[i][1])
		require.Equal(t, s.what, rows[i][2], s.name)
		require.Equal(t, cmp.Or(strings.Join(s.fires, ", "), "none"), rows[i][3], s.name)
	}
}
