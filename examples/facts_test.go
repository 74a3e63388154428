package examples

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// constant returns the text of a literal, or of literals that are joined by +.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, ok2 := constant(e.Y)
		return left + right, ok && ok2 && e.Op == token.ADD
	}
	return "", false
}

// The lines of a log that the table of operations.md explains are in the source, and so are the
// reasons of the table of guards.md.
func TestLogLinesInTheDocs(t *testing.T) {
	var messages []string
	walk(t, ".go", func(path string) {
		if strings.HasSuffix(path, "_test.go") || !regexp.MustCompile(`^\.\./(singleton|internal/protocol|internal/outage)/[^/]*$`).MatchString(path) {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text, ok := constant(e); ok {
					messages = append(messages, text)
				}
			}
			return true
		})
	})
	_, table, ok := strings.Cut(read(t, guide+"operations.md"), "### What the lines mean\n")
	require.True(t, ok)
	table, _, ok = strings.Cut(table, "\n## ")
	require.True(t, ok)
	told := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			told++
			if !slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, message[1]) }) {
				t.Errorf("nobody logs %q", message[1])
			}
		}
	}
	require.Greater(t, told, 20)
	for _, reason := range []string{"never held", "released", "unchanged for a lease duration", "our own term was taken from the Lease"} {
		require.Contains(t, messages, reason)
		require.Contains(t, table, "`"+reason+"`")
	}

	_, reasons, ok := strings.Cut(read(t, guide+"guards.md"), "\n| reason | ")
	require.True(t, ok)
	reasons, _, _ = strings.Cut(reasons, "\n\n")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(reasons, -1) {
		for _, reason := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, reason[1])
		}
	}
	var kinds []string
	for _, kind := range fencing.Kinds() {
		kinds = append(kinds, string(kind))
	}
	require.ElementsMatch(t, kinds, listed)
}
