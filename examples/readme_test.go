// Package examples holds one folder per thing a user does, each compiled and
// run by the tests. Its own tests check what README and the guide say.
package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const guide = "../internal/docs/guide/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// README's code, and the guide's for databases, is of compiled examples, to the letter.
func TestReadmeShowsCompiledExamples(t *testing.T) {
	for _, example := range []struct{ page, source, begin, end string }{
		{"../README.md", "worker/main.go", "// README example\n", "\n// end of README example"},
		{guide + "guards.md", "postgres/readme_test.go", "// the guide's example\n", "\n// end of the guide's example"},
	} {
		_, rest, ok := strings.Cut(read(t, example.source), example.begin)
		require.True(t, ok, example.source)
		code, _, ok := strings.Cut(rest, example.end)
		require.True(t, ok, example.source)
		if !strings.Contains(read(t, example.page), "```go\n"+code+"```\n") {
			t.Errorf("%s does not show this code of %s:\n%s", example.page, example.source, code)
		}
	}
}

// The exceptions that the guide lists are shown by tests, which it cites, and those named so are
// all cited. The documentation of package singleton cites the same.
func TestGuideCitesItsExceptions(t *testing.T) {
	list := section(t, read(t, guide+"guarantees.md"), "## Exceptions to one at a time\n", "\n## ") +
		section(t, read(t, guide+"guarantees.md"), "## Exceptions to growing tokens\n", "\n## ")
	doc := section(t, read(t, "../singleton/doc.go"), "// # Exceptions to G1\n", "// # States\n")
	cited := matches(list, "`(Test\\w+)")
	require.ElementsMatch(t, cited, matches(doc, `\b(Test\w+)`))
	var shown []string
	files, err := filepath.Glob("../singleton/*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		shown = append(shown, matches(read(t, file), `(?m)^func (TestException\w+)\(`)...)
	}
	shown = append(shown, "TestFaults") // in internal/e2e
	require.ElementsMatch(t, shown, cited)
	for _, line := range strings.Split(list, "\n* ")[1:] {
		require.Contains(t, line, "`Test", "an exception without its test")
	}
	// The first exception's.
	require.Contains(t, read(t, "../internal/e2e/faults_test.go"), `name: "the same without a guard"`)
	require.Contains(t, read(t, "../README.md"), "internal/docs/guide/guarantees.md#exceptions-to-one-at-a-time")
}

// section is what text has between two marks.
func section(t *testing.T, text, from, to string) string {
	_, rest, ok := strings.Cut(text, from)
	require.True(t, ok, from)
	rest, _, ok = strings.Cut(rest, to)
	require.True(t, ok, to)
	return rest
}

// matches are what the pattern's group is in text.
func matches(text, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
