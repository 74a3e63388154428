// Package examples holds one folder per thing a user does, each compiled and
// run by the tests.
package examples

import (
	"os"
	"path/filepath"
	"regexp"
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

// The exceptions that it lists are shown by tests, which it cites, and those named so
// are all cited.
func TestReadmeCitesItsExceptions(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, list, ok := strings.Cut(string(readme), "### Exceptions to one at a time\n")
	require.True(t, ok)
	list, _, ok = strings.Cut(list, "\n### ")
	require.True(t, ok)
	var cited []string
	for _, name := range regexp.MustCompile("`(TestException\\w+)`").FindAllStringSubmatch(list, -1) {
		cited = append(cited, name[1])
	}
	var shown []string
	files, err := filepath.Glob("../singleton/*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`(?m)^func (TestException\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			shown = append(shown, name[1])
		}
	}
	require.ElementsMatch(t, shown, cited)
	for _, line := range strings.Split(list, "\n* ")[1:] {
		require.Contains(t, line, "`Test", "an exception without its test")
	}
	faults, err := os.ReadFile("../internal/e2e/faults_test.go") // the first exception's
	require.NoError(t, err)
	require.Contains(t, string(faults), `name: "the same without a guard"`)
}

// Its manifests are files too, which the tests on a real API server apply.
func TestReadmeShowsTheManifests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	manifests, err := os.ReadFile("deploy/invoicer.yaml")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```yaml\n"+string(manifests)+"```\n")
}
