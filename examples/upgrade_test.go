package examples

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// upgrade.md lists the versions that internal/ci/versions.sh tries.
func TestVersionsInTheDocs(t *testing.T) {
	script := read(t, filepath.Join(root, "internal/ci/versions.sh"))
	page := read(t, guide+"upgrade.md")
	_, list, ok := strings.Cut(script, "\npairs=(\n")
	require.True(t, ok)
	list, _, ok = strings.Cut(list, "\n)")
	require.True(t, ok)
	want := regexp.MustCompile(`"(\S+) (\S+)"`).FindAllStringSubmatch(list, -1)
	got := regexp.MustCompile(`(?m)^\| (v\S+) \| (v\S+) \|$`).FindAllStringSubmatch(page, -1)
	require.Greater(t, len(want), 4)
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i][1:], got[i][1:])
	}
	for _, pattern := range []string{`(?m)^toolchains=\((\S+)\)`, `(?m)^oldest_manager="(\S+) `} {
		version := regexp.MustCompile(pattern).FindStringSubmatch(script)
		require.NotNil(t, version, pattern)
		require.Contains(t, page, " "+version[1])
	}
}
