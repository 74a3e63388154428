package examples

import (
	"go/ast"
	"go/token"
	"regexp"
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

// The reasons of the table of guards.md are all kinds of a guard's error.
func TestGuardReasonsInTheDocs(t *testing.T) {
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
