package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutants are all that are planted.
func mutants(t *testing.T) []mutant {
	t.Helper()
	all, err := catalogue("../..")
	require.NoError(t, err)
	return all
}

// A mutant that does not fit any more would be counted on without being there.
func TestEveryMutantApplies(t *testing.T) {
	all := mutants(t)
	require.GreaterOrEqual(t, len(all), 270)
	names, trees := map[string]bool{}, map[string]tree{}
	for _, m := range all {
		if _, ok := trees[m.pkg]; !ok {
			tree, err := declared("../..", m.pkg)
			require.NoError(t, err)
			trees[m.pkg] = tree
		}
		t.Run(m.name, func(t *testing.T) {
			require.False(t, names[m.name], "names are unique")
			names[m.name] = true
			text, err := m.apply("../..")
			require.NoError(t, err)
			_, err = parser.ParseFile(token.NewFileSet(), m.file, text, 0)
			require.NoError(t, err, "it must be Go")
			require.NoError(t, m.testedIn(trees[m.pkg]))
		})
	}
}

// testedIn reports whether the tests that are to find m are in its package's tree.
func (m mutant) testedIn(tree tree) error {
	top, _, _ := strings.Cut(m.run, "/")
	pattern := regexp.MustCompile(top)
	for test := range tree.tests {
		if name := strings.TrimPrefix(test, path.Base(m.pkg)+"."); strings.HasPrefix(name, "Test") && pattern.MatchString(name) {
			return nil
		}
	}
	return fmt.Errorf("package %s has no test %s", m.pkg, top)
}

func TestMutantNeedsItsTests(t *testing.T) {
	lease, err := declared("../..", "./internal/protocol")
	require.NoError(t, err)
	require.NoError(t, mutant{pkg: "./internal/protocol", run: "TestSeat/x"}.testedIn(lease))
	require.ErrorContains(t, mutant{pkg: "./internal/protocol", run: "TestNobodyWrote"}.testedIn(lease), "no test TestNobodyWrote")
	none, err := declared("../..", "./leases")
	require.NoError(t, err)
	require.ErrorContains(t, mutant{pkg: "./leases", run: "TestSeat"}.testedIn(none), "package ./leases")
}

const aPatch = `why: it harms
tests: lease TestSeat/(a|b)
seeds: 40

diff --git a/lease/x.go b/lease/x.go
index 1..2 100644
--- a/lease/x.go
+++ b/lease/x.go
@@ -7,2 +7,3 @@ func x() {
 one
-two
+2
+2.5
@@ -9 +10 @@
-four
+4
`

func TestPatchIsRead(t *testing.T) {
	m, err := parse("x", aPatch)
	require.NoError(t, err)
	require.Equal(t, mutant{
		name: "x", why: "it harms", pkg: "./lease", run: "TestSeat/(a|b)", seeds: 40,
		diff: diff{"lease/x.go", []hunk{
			{"@@ -7,2 +7,3 @@", []string{"one\n", "two\n"}, []string{"one\n", "2\n", "2.5\n"}},
			{"@@ -9 +10 @@", []string{"four\n"}, []string{"4\n"}},
		}},
	}, m)
}

func TestUnreadablePatchIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"no why":           {"why: it harms\n", "", "needs why and tests"},
		"no tests":         {"tests: lease TestSeat/(a|b)\n", "", "needs why and tests"},
		"no pattern":       {"lease TestSeat/(a|b)", "lease", "needs why and tests"},
		"a broken pattern": {"(a|b)", "(a|b", "missing closing )"},
		"no number":        {"40", "many", "invalid syntax"},
		"another key":      {"seeds: 40", "seed: 40", "once each"},
		"a key twice":      {"seeds: 40", "why: it harms", "once each"},
		"no diff":          {aPatch[strings.Index(aPatch, "diff"):], "", "no diff"},
		"no hunk":          {aPatch[strings.Index(aPatch, "@@"):], "", "lease/x.go: no hunk"},
		"a new file":       {"--- a/lease/x.go", "--- /dev/null", "must name one file"},
		"another file":     {"+++ b/lease/x.go", "+++ b/lease/y.go", "must name one file"},
		"two files":        {"@@ -9 +10 @@", "--- a/lease/y.go", `hunk 2: "--- a/lease/y.go\n" begins none`},
		"too few lines":    {"-four\n+4\n", "-four\n", "hunk 2: it has fewer lines than it says"},
		"too many lines":   {"+2.5\n", "+2.5\n+2.6\n", `hunk 2: "+2.6\n" begins none`},
		"one line less":    {"-two\n+2\n", "+2\n+2\n", `hunk 1: "@@ -9 +10 @@\n" is neither`},
		"other lines":      {"-two\n+2\n+2.5\n", "+2\n+2.5\n+3\n-two\n", "hunk 1: it has other lines than it says"},
		"a foreign line":   {"-two", "two", `hunk 1: "two\n" is neither`},
		"nothing to find":  {"@@ -9 +10 @@\n-four\n+4\n", "@@ -9,0 +10 @@\n+4\n", "no line to be found by"},
		"nothing changes":  {"-four\n+4\n", "-four\n+four\n", "hunk 2: it changes nothing"},
		"no end of a line": {"+4\n", "+4\n\\ No newline at end of file\n", "begins none"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, aPatch, c.old)
			_, err := parse("x", strings.Replace(aPatch, c.old, c.new, 1))
			require.ErrorContains(t, err, "mutant x")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestPatchFitsInOnePlace(t *testing.T) {
	m, err := parse("x", aPatch)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"one\ntwo\nthree\nfour\n":      "one\n2\n2.5\nthree\n4\n",
		"zero\n\none\ntwo\nfour\nfive": "zero\n\none\n2\n2.5\n4\nfive", // it has moved
		"one\nthree\nfour\n":           "lease/x.go: hunk 1 (@@ -7,2 +7,3 @@) fits in 0 places",
		"one\ntwo\none\ntwo\nfour\n":   "lease/x.go: hunk 1 (@@ -7,2 +7,3 @@) fits in 2 places",
		"one\ntwo\n":                   "lease/x.go: hunk 2 (@@ -9 +10 @@) fits in 0 places",
		"four\none\ntwo\n":             "lease/x.go: hunk 2 (@@ -9 +10 @@) fits in 1 places, must be one, and in order",
		"one\ntwo \nfour\n":            "lease/x.go: hunk 1",
		"":                             "lease/x.go: hunk 1",
	} {
		got, err := m.on(text)
		if err != nil {
			require.ErrorContains(t, err, want)
		} else {
			require.Equal(t, want, got)
		}
	}
}

func TestReworkedFileIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, line, want string }{
		"gone":  {"internal/protocol/lock.go", "no such text\n", "fits in 0 places"},
		"twice": {"internal/protocol/lock.go", "}\n", "places, must be one"},
		"file":  {"internal/protocol/no-such-file.go", "a\n", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mutant{name: "x", diff: diff{c.file, []hunk{{"@@ -1 +1 @@", []string{c.line}, nil}}}}
			_, err := m.apply("../..")
			require.ErrorContains(t, err, "mutant x")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A file among the patches that is none is not passed over.
func TestOnlyPatchesArePlanted(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, planted, "lease")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "x.patch"), []byte(aPatch), 0o600))
	all, err := catalogue(root)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "y.diff"), []byte(aPatch), 0o600))
	_, err = catalogue(root)
	require.ErrorContains(t, err, "y.diff is not a patch")
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
