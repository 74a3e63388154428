package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one deliberate bug: an exact piece of one file and what stands
// there instead.
type mutant struct {
	name string
	file string // below the module's root, with slashes
	old  string // occurs exactly once in file
	new  string
	// run narrows the suite to the tests (a -run pattern) that are to catch it;
	// pkg is their package.
	run, pkg string
	// seeds is within how many the simulator must catch it: about three times
	// what it took, at least 40. 0: it does not, because another rule of the
	// protocol makes up for the bug, because no schedule it draws comes across
	// it in time, or because it has no rule for what goes wrong.
	seeds int
	why   string // the harm it does, for the table's reader
}

// apply returns the mutated text of m's file below root. A file that was
// reworked so that old is not there, or not once, is an error: the mutant has
// to be written anew.
func (m mutant) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.name, err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("mutant %s: its text occurs %d times in %s, must be exactly once:\n%s", m.name, n, m.file, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}
