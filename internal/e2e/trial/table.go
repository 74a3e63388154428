//go:build unix

package trial

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Table is the outcome of many trials. It is safe for concurrent use.
type Table struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	place   int
	name    string
	verdict Verdict
	word    string
}

// Add adds a trial's outcome; rows are shown by place, whenever they came.
// Instead of the verdict's own word another one can be shown.
func (t *Table) Add(place int, name string, v Verdict, word string) {
	switch {
	case word != "":
	case !v.OK():
		word = "**VIOLATED**"
	case v.Slow:
		word = "holds (slow)"
	default:
		word = "holds"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := len(t.rows)
	for i > 0 && t.rows[i-1].place > place {
		i--
	}
	t.rows = append(t.rows[:i], append([]row{{place, name, v, word}}, t.rows[i:]...)...)
}

// Print writes the table in Markdown.
func (t *Table) Print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := [][]string{{"scenario", "terms", "records", "overlap (ms)", "stale writes", "back within (s)", "verdict"}}
	for _, r := range t.rows {
		v := r.verdict
		lines = append(lines, []string{
			r.name, fmt.Sprint(v.Terms), fmt.Sprint(v.Records), fmt.Sprint(v.Overlap.Round(time.Millisecond).Milliseconds()),
			fmt.Sprintf("%d, %d refused", v.StaleAttempted, v.StaleRefused), fmt.Sprintf("%.2f", v.Back.Seconds()), r.word,
		})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(w, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(w, "|%s", strings.Repeat("-", width+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
}
