package main

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

// A mutant whose text is gone would be counted on without being there.
func TestEveryMutantApplies(t *testing.T) {
	all := catalogue()
	require.GreaterOrEqual(t, len(all), 25)
	names := map[string]bool{}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			require.False(t, names[m.name], "names are unique")
			names[m.name] = true
			require.NotEmpty(t, m.why)
			require.NotEmpty(t, m.run)
			require.Contains(t, append(guardPackages(), pkgLease, pkgSingleton, pkgLookout), m.pkg)
			text, err := m.apply("../..")
			require.NoError(t, err)
			require.NotEqual(t, m.old, m.new)
			_, err = parser.ParseFile(token.NewFileSet(), m.file, text, 0)
			require.NoError(t, err, "it must be Go")
		})
	}
}

func TestReworkedFileIsRefused(t *testing.T) {
	for name, m := range map[string]mutant{
		"gone":  {name: "x", file: fileLock, old: "no such text"},
		"twice": {name: "x", file: fileLock, old: "func (l *Lock)"},
		"file":  {name: "x", file: "lease/no-such-file.go", old: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.apply("../..")
			require.ErrorContains(t, err, "mutant x")
		})
	}
}

func TestFirstFailure(t *testing.T) {
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.0s)\n    --- FAIL: TestA/x (0.0s)\n    --- FAIL: TestA/y (0.0s)\nFAIL\n":             "TestA/x",
		"panic: test timed out after 20s\n\trunning tests:\n\t\tTestB/z (20s)\n\ngoroutine 1\n":                  "TestB/z (never ends)",
		"--- FAIL: TestC (0.0s)\npanic: deadlock: all goroutines in bubble are blocked [recovered]\ngoroutine 1": "TestC (deadlock)",
		"panic: boom\n\ngoroutine 7 [running]:\n":                                                                "the test binary died (panic)",
	} {
		require.Equal(t, want, firstFailure(out))
	}
}

func TestFirstSeed(t *testing.T) {
	for out, want := range map[string]string{
		"playing seed 1\nplaying seed 2\n--- FAIL: TestSeeds (0.0s)\n    seeds_test.go:38: violated: one at a time: a and b\n": "seed 2: one at a time",
		"playing seed 7\npanic: deadlock: all goroutines in bubble are blocked [recovered]\n":                                  "seed 7: deadlock",
		"playing seed 7\npanic: test timed out after 5m\n\trunning tests:\n\t\tTestSeeds (5m)\n":                               "seed 7: never ends",
		"panic: boom\n": "the test binary died (panic)",
	} {
		require.Equal(t, want, firstSeed(out))
	}
}
