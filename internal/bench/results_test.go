package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// README compares with client-go by ratios, because times are this machine's or
// that one's. Each must stand in RESULTS.md, which `make bench` writes.
func TestReadmeQuotesResults(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	results, err := os.ReadFile("RESULTS.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "\n## Beside client-go\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	require.Contains(t, section, "internal/bench/RESULTS.md")
	missing, quoted := unproven(section, string(results))
	require.GreaterOrEqual(t, quoted, 3)
	require.Empty(t, missing, "README quotes ratios that RESULTS.md does not have: bring it up to date")
	require.NotRegexp(t, `[0-9] times`, section, "a ratio that this test does not see")
}

// unproven returns the ratios in text that no cell of results is, and how many
// there are.
func unproven(text, results string) (missing []string, quoted int) {
	for _, ratio := range regexp.MustCompile(`\b[0-9.]+x\b`).FindAllString(text, -1) {
		quoted++
		if !strings.Contains(results, "| "+ratio+" |") {
			missing = append(missing, ratio)
		}
	}
	return missing, quoted
}

func TestUnprovenRatios(t *testing.T) {
	missing, quoted := unproven("faster by 12x, and 3.5x, and 120x", "| a | 12x | 1120x |\n| 3.5x |\n")
	require.Equal(t, []string{"120x"}, missing)
	require.Equal(t, 3, quoted)
}
