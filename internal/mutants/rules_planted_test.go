package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The checks of TestRules can fail: each of these plants one fault.

func TestCitations(t *testing.T) {
	rules := []string{"C1", "C2", "W1"}
	for text, wrong := range map[string][]string{
		"// Rule C1: a gap":                               nil,
		"(rules C1 and C2), see rule W1.":                 nil,
		"a rule of rules, C9 ones":                        nil, // cites none
		"rule C3":                                         {"no rule C3"},
		"rule X1":                                         {"no rule X1"},
		"(rules C1 to C9)":                                {"no rule C9"},
		"rules C1, W1 and W2":                             {"no rule W2"},
		"// as told by rule\n// C4, it is":                {"no rule C4"},
		"Refines rule 10 of the protocol":                 {"cites another document: rule 10"},
		"rules 5.5 and 6 of it":                           {"cites another document: rules 5.5"},
		"// Rule e: what is sent":                         {"cites another document: Rule e"},
		"// Rule a: what is seen":                         {"cites another document: Rule a:"},
		"(design rules a to d)":                           {"cites another document: rules a to d"},
		"a row of the table in design.md section 1":       {"cites another document: design.md"},
		"rule C1, and rule C11 (a number that is longer)": {"no rule C11"},
	} {
		require.Equal(t, wrong, wrongCitations(rules, text), text)
	}
}

func TestNumbersOfRules(t *testing.T) {
	doc := "// C, claims.\n//\n//   - C1. A gap.\n//     More.\n//   - C2. A change.\n//\n//   - W1. A write.\n"
	require.Equal(t, []string{"C1", "C2", "W1"}, rulesOf(doc))
	require.Empty(t, misnumbered([]string{"C1", "C2", "W1"}))
	for _, rules := range [][]string{{"C2"}, {"C1", "C3"}, {"C1", "C1"}, {"C1", "W1", "C1"}, {"C1", "W2"}, {"C1", "C2", "C2"}} {
		require.NotEmpty(t, misnumbered(rules), "%v", rules)
	}
}

func TestRowsOfRules(t *testing.T) {
	const good = "| T1 | protocol.View.owe, protocol.ask | protocol.TestSeat, protocol.TestOther | seat-across-a-gap |\n"
	known := tree{
		functions: map[string]bool{"protocol.View.owe": true, "protocol.ask": true},
		tests:     map[string]bool{"protocol.TestSeat": true, "protocol.TestOther": true, "singleton.TestSeat": true},
	}
	for table, wrong := range map[string]string{
		"| rule | functions | tests | mutants |\n|---|---|---|---|\n" + good: "",
		"":          "rows for []",
		good + good: "rows for [T1 T1]",
		"| T2 | protocol.ask | protocol.TestSeat | seat-across-a-gap |\n":                 "rows for [T2]",
		"| T1 | | protocol.TestSeat | seat-across-a-gap |\n":                              "needs a function",
		"| T1 | protocol.ask | protocol.TestSeat | |\n":                                   "needs a function, a test and a mutant",
		"| T1 | protocol.nobody | protocol.TestSeat | seat-across-a-gap |\n":              "no function protocol.nobody",
		"| T1 | protocol.ask | protocol.TestSeat, protocol.TestX | seat-across-a-gap |\n": "no test protocol.TestX",
		"| T1 | protocol.ask | protocol.TestSeat | seat-across-the-gap |\n":               "no mutant seat-across-the-gap",
		"| T1 | protocol.ask | protocol.TestOther | seat-across-a-gap |\n":                "no test in it finds seat-across-a-gap",
		"| T1 | protocol.ask | singleton.TestSeat | seat-across-a-gap |\n":                "no test in it finds seat-across-a-gap",
	} {
		rows, _ := rowsOf(table)
		got := wrongRows([]string{"T1"}, rows, known, mutants(t))
		if wrong == "" {
			require.Empty(t, got)
		} else {
			require.Len(t, got, 1)
			require.Contains(t, got[0], wrong)
		}
	}
	rows, others := rowsOf(good + "* drift-ignored, on-lose-twice, on-lose-thrice\n")
	missing := unmapped(rows, others, mutants(t))
	require.NotContains(t, missing, "seat-across-a-gap")
	require.NotContains(t, missing, "on-lose-twice")
	require.Contains(t, missing, "on-lose-thrice")
	require.Contains(t, missing, "seat-not-taken")
}
