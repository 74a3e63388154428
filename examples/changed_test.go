package examples

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An example that shows how to change over says in its README which lines change. Those are
// the lines that differ between its two functions.
func TestReadmesHaveTheChangedLines(t *testing.T) {
	for folder, c := range map[string]struct{ before, after, from string }{
		"client-go":          {"before.go", "after.go", "(ctx context.Context, r replica) error {"},
		"controller-runtime": {"before.go", "after.go", "(ctx context.Context, o operator) error {"},
	} {
		t.Run(folder, func(t *testing.T) {
			var blocks []string
			for _, b := range parsePage(t, filepath.Join("examples", folder, "README.md")).blocks {
				if b.language == "diff" {
					blocks = append(blocks, b.text)
				}
			}
			body := func(file string) []string {
				_, text, found := strings.Cut(read(t, filepath.Join(folder, file)), c.from+"\n")
				require.True(t, found, "%s has no %q", file, c.from)
				text, _, _ = strings.Cut(text, "\n}\n")
				return strings.Split(text, "\n")
			}
			changed := changedLines(body(c.before), body(c.after))
			require.Equal(t, []string{strings.Join(changed, "\n") + "\n"}, blocks)
		})
	}
}

// changedLines are the lines to take out and to put in, by a longest common subsequence.
func changedLines(before, after []string) (lines []string) {
	most := make([][]int, len(before)+1) // how many of before[i:] and after[j:] can stay
	for i := range most {
		most[i] = make([]int, len(after)+1)
	}
	for i := range slices.Backward(before) {
		for j := range slices.Backward(after) {
			if before[i] == after[j] {
				most[i][j] = most[i+1][j+1] + 1
			} else {
				most[i][j] = max(most[i+1][j], most[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(before) || j < len(after); {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && most[i+1][j] >= most[i][j+1]:
			lines = append(lines, "-"+before[i])
			i++
		default:
			lines = append(lines, "+"+after[j])
			j++
		}
	}
	return lines
}

func TestChangedLines(t *testing.T) {
	split := func(s string) []string { return strings.Split(s, " ") }
	require.Empty(t, changedLines(split("a b c"), split("a b c")))
	require.Equal(t, []string{"-b", "+x", "+y", "-d"}, changedLines(split("a b c d"), split("a x y c")))
	require.Equal(t, []string{"+a"}, changedLines(split("b"), split("a b")))
}
