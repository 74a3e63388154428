package examples

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each figure that two-leaders.md quotes stands in what a command wrote.
func TestFiguresInTheDocs(t *testing.T) {
	var results string
	for _, path := range []string{
		"internal/sim/RESULTS.md", "internal/bench/RESULTS.md", "internal/frameworks/RESULTS.md",
		"internal/docs/measured.md",
	} {
		results += read(t, filepath.Join(root, path))
	}
	page := parsePage(t, "internal/docs/guide/two-leaders.md")
	missing, quoted := figuresMissing(page.prose, results)
	require.Greater(t, quoted, 30)
	require.Empty(t, missing, "figures that no results file has")
}

// figuresMissing returns the figures of a page that results does not have, and how many there are.
func figuresMissing(page, results string) (missing []string, quoted int) {
	page = regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(page, "]") // where links lead
	for _, figure := range regexp.MustCompile(`\d[\d./]* ?(?:ms|s|x|kB|%)(?:\W|$)|\b\d{3,}\b`).
		FindAllString(page, -1) {
		quoted++
		figure = strings.TrimSpace(strings.TrimRight(figure, " |;,.:)]%"))
		figure = strings.TrimSuffix(figure, " kB")
		if !regexp.MustCompile(`(^|[^\d.])` + regexp.QuoteMeta(figure) + `($|[^\d.])`).MatchString(results) {
			missing = append(missing, figure)
		}
	}
	return missing, quoted
}

func TestFiguresMissing(t *testing.T) {
	missing, quoted := figuresMissing(
		"12 s, 252ms, 0.417x; 93.333 % | 549 in [a](page-999.md), 29.9 kB, 2.5 s.",
		"| 12 s | 252ms | 1.417x | 93.333 | 549 | 29.9 | 12.5 s |")
	require.Equal(t, []string{"0.417x", "2.5 s"}, missing)
	require.Equal(t, 7, quoted)
}
