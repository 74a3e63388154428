package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// The one screen, to the letter. UPDATE=1 writes it anew.
func TestScreens(t *testing.T) {
	now, err := time.Parse(time.DateTime, "2026-11-30 21:00:02")
	require.NoError(t, err)
	at := func() time.Time { return now }
	held := judge(sight{record: made(t, "invoicer-7d9f8c6b5-x2x4z_31d523f85aa30e15", "t", "812345", ""), renewals: 2}, now)
	moving := judge(sight{record: made(t, "invoicer-7d9f8c6b5-x2x4z_31d523f85aa30e15", "t", "812345",
		"invoicer-7d9f8c6b5-q8lmn_84ca62bd7dbd31a3"), renewals: 1}, now)
	moving.Name = "mailer"
	late := judge(sight{record: made(t, "biller-0_31d523f85aa30e15", "t", "77", "")}, now.Add(time.Minute))
	late.Name = "biller"
	for name, tt := range map[string]struct {
		report *report
		scope  scope
	}{
		"one.txt": {&report{ReadAt: now, LookedFor: 1.8, Leases: []entry{held}}, scope{"shop", "invoicer"}},
		"several.txt": {&report{
			ReadAt: now, LookedFor: 5, Leases: []entry{late, held, moving}, Others: 4,
			Notes: []string{"this machine's clock is 1m0s behind the API server's"},
		}, scope{"shop", ""}},
		"none.txt": {&report{ReadAt: now, LookedFor: 0.1, Leases: []entry{}, Others: 1}, scope{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := &call{program: &program{stdout: &out, now: at}, cluster: &cluster{clock: at}}
			c.printReport(tt.report, tt.scope)
			golden(t, name, out.String())
			for line := range strings.Lines(out.String()) {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width, line)
			}
		})
	}
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestShort(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"0.4s": 400 * time.Millisecond, "12s": 12 * time.Second, "3m20s": 200 * time.Second,
		"5h12m": 5*time.Hour + 12*time.Minute, "8d3h": 195 * time.Hour, "-1.0s": -time.Second,
	} {
		require.Equal(t, text, short(d))
	}
	require.Equal(t, "a b\n--c", wrap("a b c", 3, "--"))
}
