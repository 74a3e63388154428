package examples

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The guide's index lists each page once.
func TestGuideListsItsPages(t *testing.T) {
	index := read(t, guide+"README.md")
	paths, err := filepath.Glob(guide + "*.md")
	require.NoError(t, err)
	for _, path := range paths {
		name := filepath.Base(path)
		if name != "README.md" {
			require.Equal(t, 1, strings.Count(index, "| ["+name+"]("+name+") | "), name)
		}
	}
}
