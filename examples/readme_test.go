// Package examples holds one folder per thing a user does, each compiled and
// run by the tests.
package examples

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's code is of compiled examples, to the letter.
func TestReadmeShowsCompiledExamples(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, name := range []string{"worker/main.go", "postgres/readme_test.go"} {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(source), "// README example\n")
		require.True(t, ok)
		example, _, ok := strings.Cut(rest, "\n// end of README example")
		require.True(t, ok)
		require.Contains(t, string(readme), "```go\n"+example+"```\n")
	}
}

// So are its manifests, which the tests on a real API server apply.
func TestReadmeShowsTheManifests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	manifests, err := os.ReadFile("deploy/invoicer.yaml")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```yaml\n"+string(manifests)+"```\n")
}
