package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublishable(t *testing.T) {
	modules := publishable([]string{
		"README.md", "fencing/redisfence/go.mod", "go.mod", "internal/bench/go.mod", "examples/kafka/go.mod",
		"fencing/x/testdata/y/go.mod", "fencing/guard.go",
	})
	require.Equal(t, []published{
		{path: "github.com/hotseat-go/hotseat", dir: "."},
		{path: "github.com/hotseat-go/hotseat/fencing/redisfence", dir: "fencing/redisfence"},
	}, modules)
	require.Equal(t, "v0.1.0", modules[0].tag("v0.1.0"))
	require.Equal(t, "fencing/redisfence/v0.1.0", modules[1].tag("v0.1.0"))
}

func TestRewrite(t *testing.T) {
	got, err := rewrite([]byte(`module github.com/hotseat-go/hotseat/fencing/redisfence

go 1.26.0

replace github.com/hotseat-go/hotseat => ../..

require (
	github.com/hotseat-go/hotseat v0.0.0-00010101000000-000000000000
	github.com/redis/go-redis/v9 v9.23.0
)
`), "v0.1.0")
	require.NoError(t, err)
	require.Equal(t, `module github.com/hotseat-go/hotseat/fencing/redisfence

go 1.26.0

require (
	github.com/hotseat-go/hotseat v0.1.0
	github.com/redis/go-redis/v9 v9.23.0
)
`, string(got))
	v, err := requiresOurs(got)
	require.NoError(t, err)
	require.Equal(t, "v0.1.0", v)

	_, err = rewrite([]byte("module m\n\nreplace example.com/x => ../x\n"), "v0.1.0")
	require.EqualError(t, err, "m replaces example.com/x: whoever requires the module does not get that")
}

func TestCheckVersion(t *testing.T) {
	for _, good := range []string{"v0.1.0", "v1.0.0", "v0.2.0-rc.1"} {
		require.NoError(t, checkVersion(good))
	}
	for bad, says := range map[string]string{
		"": "say which version", "0.1.0": "must be like v0.1.0", "v0.1": "must be like v0.1.0",
		"v1.0.0+x": "must be like v0.1.0", "v2.0.0": "must be v0 or v1",
	} {
		require.ErrorContains(t, checkVersion(bad), says)
	}
}

func TestSteps(t *testing.T) {
	modules := publishable([]string{"go.mod", "fencing/redisfence/go.mod"})
	tags := []string{
		"the tags, all on that commit: v0.1.0 fencing/redisfence/v0.1.0",
		"one push of them together: git push --atomic origin v0.1.0 fencing/redisfence/v0.1.0",
	}
	ready := map[string]string{modules[1].path: "v0.1.0"}
	require.Equal(t, tags, steps(modules, ready, "## [0.1.0] - 2026-12-01", "v0.1.0"))

	todo := steps(modules, map[string]string{modules[1].path: "v0.0.0-00010101000000-000000000000"}, "## [Unreleased]", "v0.1.0")
	require.Len(t, todo, 5)
	require.Contains(t, todo[0], "CHANGELOG.md")
	require.Contains(t, todo[1], "in fencing/redisfence: go mod edit -require=github.com/hotseat-go/hotseat@v0.1.0")
	require.Equal(t, tags, todo[3:])
}
