package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// The protocol's rules, the table of what keeps them, and all that cites them agree.
func TestRules(t *testing.T) {
	const root = "../.."
	doc, err := os.ReadFile(filepath.Join(root, "lease/doc.go"))
	require.NoError(t, err)
	table, err := os.ReadFile(filepath.Join(root, "internal/docs/rules.md"))
	require.NoError(t, err)
	tree, err := declared(root, "lease", "singleton", "internal/protocol", "internal/retry", "internal/lookout", "internal/outage")
	require.NoError(t, err)
	rules := rulesOf(string(doc))
	require.GreaterOrEqual(t, len(rules), 60)
	require.Empty(t, misnumbered(rules))
	rows, others := rowsOf(string(table))
	require.Empty(t, wrongRows(rules, rows, tree, mutants(t)))
	require.Empty(t, unmapped(rows, others, mutants(t)))
	cited := 0
	require.NoError(t, eachText(root, func(path, text string) {
		if filepath.Base(path) == "rules_planted_test.go" { // its numbers are wrong
			return
		}
		cited += len(citations(text))
		require.Empty(t, wrongCitations(rules, text), path)
	}))
	require.Greater(t, cited, 30, "the citations are not found any more")
}

// A number is a letter for the group and a count within it.
const number = `[A-Z][0-9]+`

// rulesOf are the numbers of the rules that a doc comment lists, in their order.
func rulesOf(doc string) (rules []string) {
	for _, m := range regexp.MustCompile(`(?m)^//\s+- (`+number+`)\. `).FindAllStringSubmatch(doc, -1) {
		rules = append(rules, m[1])
	}
	return rules
}

// misnumbered are the rules that do not come right after the one before of their group.
func misnumbered(rules []string) (wrong []string) {
	last, seen := "", map[string]bool{}
	count := 0
	for _, rule := range rules {
		if group := rule[:1]; group != last {
			if seen[group] {
				wrong = append(wrong, rule+": its group is in two places")
			}
			last, count, seen[group] = group, 0, true
		}
		if count++; rule[1:] != strconv.Itoa(count) {
			wrong = append(wrong, rule+": is number "+strconv.Itoa(count)+" of its group")
		}
	}
	return wrong
}

// row of the table.
type row struct {
	rule                      string
	functions, tests, mutants []string
}

// rowsOf are the rows of the table, and the mutants that are listed below it.
func rowsOf(table string) (rows []row, others []string) {
	for line := range strings.Lines(table) {
		if list, ok := strings.CutPrefix(line, "* "); ok && len(rows) > 0 {
			others = append(others, names(list)...)
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if rule := strings.TrimSpace(cells[0]); len(cells) == 4 && regexp.MustCompile(`^`+number+`$`).MatchString(rule) {
			rows = append(rows, row{rule, names(cells[1]), names(cells[2]), names(cells[3])})
		}
	}
	return rows, others
}

func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// wrongRows tells what is wrong with the table: it has one row for each rule, which names
// functions, tests and mutants that exist, and for each mutant a test that finds it.
func wrongRows(rules []string, rows []row, tree tree, all []mutant) (wrong []string) {
	var have []string
	for _, r := range rows {
		have = append(have, r.rule)
	}
	if !slices.Equal(rules, have) {
		wrong = append(wrong, fmt.Sprintf("the table has rows for %v", have))
	}
	mutants := map[string]mutant{}
	for _, m := range all {
		mutants[m.name] = m
	}
	for _, r := range rows {
		say := func(format string, args ...any) { wrong = append(wrong, r.rule+": "+fmt.Sprintf(format, args...)) }
		if len(r.functions) == 0 || len(r.tests) == 0 || len(r.mutants) == 0 {
			say("it needs a function, a test and a mutant")
		}
		for _, name := range r.functions {
			if !tree.functions[name] {
				say("no function %s", name)
			}
		}
		for _, name := range r.tests {
			if !tree.tests[name] {
				say("no test %s", name)
			}
		}
		for _, name := range r.mutants {
			if m, ok := mutants[name]; !ok {
				say("no mutant %s", name)
			} else if !slices.ContainsFunc(r.tests, m.foundBy) {
				say("no test in it finds %s", name)
			}
		}
	}
	return wrong
}

// unmapped are the mutants of the protocol that are neither of a rule nor listed as of none, and
// those that are listed and not there.
func unmapped(rows []row, others []string, all []mutant) (wrong []string) {
	mapped := map[string]bool{}
	for _, name := range others {
		mapped[name] = true
	}
	for _, r := range rows {
		for _, name := range r.mutants {
			mapped[name] = true
		}
	}
	for _, m := range all {
		others = slices.DeleteFunc(others, func(name string) bool { return name == m.name })
		if (m.pkg == "./lease" || m.pkg == "./internal/protocol" || m.pkg == "./singleton") && !mapped[m.name] {
			wrong = append(wrong, m.name)
		}
	}
	return append(wrong, others...)
}

// foundBy reports whether that test is one that is to find the mutant.
func (m mutant) foundBy(test string) bool {
	pkg, name, _ := strings.Cut(test, ".")
	return pkg == path.Base(m.pkg) && regexp.MustCompile(m.run).MatchString(name)
}

// citations are the numbers that a text cites: "rule C3", "rules C1 to C3 and W5".
func citations(text string) (cited []string) {
	const mark = `[\s/#*]+` // a comment may begin a new line between the words
	list := regexp.MustCompile(`\b[Rr]ules?` + mark + `(` + number + `\b(?:(?:,|` + mark + `(?:and|to|or))` + mark + number + `\b)*)`)
	for _, m := range list.FindAllStringSubmatch(text, -1) {
		cited = append(cited, regexp.MustCompile(number).FindAllString(m[1], -1)...)
	}
	return cited
}

// wrongCitations are those of no rule, and those of documents that are not in the tree: they
// counted rules by a number or a small letter alone.
func wrongCitations(rules []string, text string) (wrong []string) {
	for _, cited := range citations(text) {
		if !slices.Contains(rules, cited) {
			wrong = append(wrong, "no rule "+cited)
		}
	}
	for _, m := range regexp.MustCompile(`\b[Rr]ules? (?:[0-9][0-9.]*|[b-i]\b|a(?: to [b-i]\b| and [b-i]\b|:))|\bdesign(?:\.md|'s)`).FindAllString(text, -1) {
		wrong = append(wrong, "cites another document: "+m)
	}
	return wrong
}
