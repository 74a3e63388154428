package examples

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// logs.md explains each line that an elector can log, and no other.
func TestLogLinesInTheDocs(t *testing.T) {
	_, tables, ok := strings.Cut(read(t, guide+"logs.md"), "## What the lines mean\n")
	require.True(t, ok)
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(tables, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			told = append(told, message[1])
		}
	}
	messages := logMessages(t)
	require.Greater(t, len(messages), 40)
	for _, begin := range told {
		if !slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, begin) }) {
			t.Errorf("nobody logs %q", begin)
		}
	}
	for _, message := range messages {
		if !slices.ContainsFunc(told, func(begin string) bool { return strings.HasPrefix(message, begin) }) {
			t.Errorf("logs.md does not explain %q", message)
		}
	}
	rules := ""
	walk(t, ".go", func(path string) {
		if strings.HasPrefix(path, filepath.Join(root, "internal/protocol/")) {
			rules += read(t, path)
		}
	})
	reasons := regexp.MustCompile(`Action: Acquire,[^}]*Why: "([^"]+)"`).FindAllStringSubmatch(rules, -1)
	require.Greater(t, len(reasons), 4)
	for _, reason := range reasons {
		require.Contains(t, tables, "`"+reason[1]+"`")
	}
}

// logMessages are those of an elector: what is given to a logger, and the words of an outage.
func logMessages(t *testing.T) (messages []string) {
	for _, folder := range []string{"singleton", "internal/lookout", "internal/protocol", "internal/outage"} {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					messages = append(messages, loggedBy(n)...)
				case *ast.FuncDecl:
					if n.Name.Name == "words" {
						messages = append(messages, outageWords(n)...)
					}
				}
				return true
			})
		}
	}
	return messages
}

// loggedBy is the message of a call of a logger's method.
func loggedBy(call *ast.CallExpr) (messages []string) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	at, ok := map[string]int{"Info": 0, "Warn": 0, "Error": 0, "Debug": 0, "Log": 2}[method.Sel.Name]
	if !ok || at >= len(call.Args) {
		return nil
	}
	if text, ok := constant(call.Args[at]); ok {
		return []string{text}
	}
	return nil
}

// outageWords are the constants that words returns: the messages of a beginning and of an end.
func outageWords(f *ast.FuncDecl) (messages []string) {
	named := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				named[name.Name], _ = constant(n.Values[i])
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results[1:] {
				text, ok := constant(result)
				if name, isName := result.(*ast.Ident); isName {
					text, ok = named[name.Name], true
				}
				if ok {
					messages = append(messages, text)
				}
			}
		}
		return true
	})
	return messages
}

// Each cause of a term's end is in the list of causes, as the log begins to tell it and by its word.
func TestCausesInTheDocs(t *testing.T) {
	_, after, ok := strings.Cut(read(t, guide+"logs.md"), "\n### Causes\n")
	require.True(t, ok)
	list, _, ok := strings.Cut(after, "\n### ")
	require.True(t, ok)
	list = strings.Join(strings.Fields(list), " ")
	elector, _ := scraped(t)
	reasons := elector["hotseat_terms_total"].values
	require.NotEmpty(t, reasons)
	for _, reason := range reasons {
		require.Contains(t, list, "`"+reason+"`")
		text := (&singleton.EndError{Reason: singleton.Reason(reason)}).Error()
		text, _, _ = strings.Cut(text, " 0001-") // since when
		require.Contains(t, list, "`"+strings.TrimSuffix(text, ` ""`)+"`")
	}
}
