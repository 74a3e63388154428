package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// mutant is one deliberate bug, as a patch file tells it.
type mutant struct {
	name string // the patch file's
	diff        // what it changes
	why  string // the harm it does, for the table's reader
	// run narrows the suite to the tests (a -run pattern) that are to catch it;
	// pkg is their package.
	run, pkg string
	// seeds is within how many the simulator must catch it: about three times
	// what it took, at least 40. 0: it does not, because another rule of the
	// protocol makes up for the bug, because no schedule it draws comes across
	// it in time, or because it has no rule for what goes wrong.
	seeds int
}

// planted is where the patch files are, below the root of the repository.
const planted = "internal/mutants/planted"

// catalogue reads every mutant, in the order of their files' names.
func catalogue(root string) ([]mutant, error) {
	var all []mutant
	err := filepath.WalkDir(filepath.Join(root, planted), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, ok := strings.CutSuffix(d.Name(), ".patch")
		if !ok {
			return fmt.Errorf("%s is not a patch", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := parse(name, string(text))
		all = append(all, m)
		return err
	})
	return all, err
}

// parse reads a patch file: a header, an empty line and a diff. The header is
//
//	why: what harm it does
//	tests: folder of a package, and a -run pattern
//	seeds: a number, or no such line
func parse(name, text string) (mutant, error) {
	m := mutant{name: name}
	head, changes, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		if err := m.set(strings.TrimSuffix(line, "\n")); err != nil {
			return m, fmt.Errorf("mutant %s: %q: %w", name, line, err)
		}
	}
	if m.why == "" || m.run == "" {
		return m, fmt.Errorf("mutant %s: its header needs why and tests", name)
	}
	var err error
	if m.diff, err = parseDiff(changes); err != nil {
		return m, fmt.Errorf("mutant %s: %w", name, err)
	}
	return m, nil
}

// set takes one line of the header.
func (m *mutant) set(line string) (err error) {
	key, value, _ := strings.Cut(line, ": ")
	switch {
	case key == "why" && m.why == "":
		m.why = value
	case key == "tests" && m.pkg == "":
		m.pkg, m.run, _ = strings.Cut("./"+value, " ")
		_, err = regexp.Compile(m.run)
	case key == "seeds" && m.seeds == 0:
		m.seeds, err = strconv.Atoi(value)
	default:
		return errors.New("a header has the lines why:, tests: and seeds:, once each")
	}
	return err
}

// apply returns the mutated text of m's file below root. A file that was
// reworked so that a hunk has no place, or more than one, is an error: the
// mutant has to be written anew.
func (m mutant) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.name, err)
	}
	mutated, err := m.on(string(text))
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.name, err)
	}
	return mutated, nil
}
