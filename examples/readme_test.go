// Package examples holds one folder per thing a user does, each compiled and
// run by the tests.
package examples

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's code is a compiled example's, to the letter.
func TestReadmeShowsTheCompiledExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("worker/main.go")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(source), "// README example\n")
	require.True(t, ok)
	example, _, ok := strings.Cut(rest, "\n// end of README example")
	require.True(t, ok)
	require.Contains(t, string(readme), "```go\n"+example+"```\n")
}

// So are its manifests, which the tests on a real API server apply.
func TestReadmeShowsTheManifests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	manifests, err := os.ReadFile("deploy/invoicer.yaml")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```yaml\n"+string(manifests)+"```\n")
}
