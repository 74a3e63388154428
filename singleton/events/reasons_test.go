package events_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pages list the reasons that there are, no more and no fewer.
func TestReasonsInTheDocs(t *testing.T) {
	found := func(file, pattern string) (all []string) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	reasons := found("message.go", `kind\{\w+, "(\w+)"\}`)
	require.Len(t, reasons, 15)
	require.Equal(t, reasons, found("doc.go", `(?m)^//\t([A-Z]\w+) +(?:Normal|Warning) `))
	guide := found("../../internal/docs/guide/familiar.md", "`([A-Z][A-Za-z]+)`[,.]")
	for _, reason := range reasons {
		require.Contains(t, guide, reason)
	}
}
