package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// diff is a unified diff of one file.
type diff struct {
	file  string // below the repository's root, with slashes
	hunks []hunk
}

// hunk is a piece of a diff: whole lines, each with its end, and what stands
// there instead. What both have is context.
type hunk struct {
	head          string // the line that begins it
	before, after []string
}

// parseDiff reads what git diff prints about one file that is changed.
func parseDiff(text string) (diff, error) {
	lines := slices.Collect(strings.Lines(text))
	for len(lines) > 0 && (strings.HasPrefix(lines[0], "diff --git ") || strings.HasPrefix(lines[0], "index ")) {
		lines = lines[1:]
	}
	if len(lines) < 2 {
		return diff{}, errors.New("no diff")
	}
	from, isFrom := strings.CutPrefix(lines[0], "--- a/")
	to, isTo := strings.CutPrefix(lines[1], "+++ b/")
	if !isFrom || !isTo || from != to {
		return diff{}, fmt.Errorf("%q and %q must name one file", lines[0], lines[1])
	}
	d := diff{file: strings.TrimSuffix(from, "\n")}
	for lines = lines[2:]; len(lines) > 0; {
		h, size, err := parseHunk(lines)
		if err != nil {
			return diff{}, fmt.Errorf("%s: hunk %d: %w", d.file, len(d.hunks)+1, err)
		}
		d.hunks = append(d.hunks, h)
		lines = lines[size:]
	}
	if len(d.hunks) == 0 {
		return diff{}, fmt.Errorf("%s: no hunk", d.file)
	}
	return d, nil
}

// parseHunk reads the hunk that lines begin with, and tells how many it has. Where
// in the file its lines were is of no matter: it is found by its text.
func parseHunk(lines []string) (h hunk, size int, err error) {
	head := regexp.MustCompile(`^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@`).FindStringSubmatch(lines[0])
	if head == nil {
		return h, 0, fmt.Errorf("%q begins none", lines[0])
	}
	h.head = head[0]
	before, after := count(head[1]), count(head[2])
	for size = 1; len(h.before) < before || len(h.after) < after; size++ {
		if size == len(lines) {
			return h, 0, errors.New("it has fewer lines than it says")
		}
		mark, line := lines[size][:1], lines[size][1:]
		if mark == "\n" { // an editor took the blank at a line's end away
			mark, line = " ", "\n"
		}
		if !strings.Contains(" -+", mark) {
			return h, 0, fmt.Errorf("%q is neither context nor taken away nor put there", lines[size])
		}
		if mark != "+" {
			h.before = append(h.before, line)
		}
		if mark != "-" {
			h.after = append(h.after, line)
		}
	}
	switch {
	case len(h.before) != before || len(h.after) != after:
		return h, 0, errors.New("it has other lines than it says")
	case before == 0:
		return h, 0, errors.New("it has no line to be found by")
	case slices.Equal(h.before, h.after):
		return h, 0, errors.New("it changes nothing")
	}
	return h, size, nil
}

// count is a number of lines in a hunk's head, where 1 goes without saying.
func count(text string) int {
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1 // more than there can be
	}
	return n
}

// on returns text with d applied. Each hunk must fit in one place, behind that
// of the one before.
func (d diff) on(text string) (string, error) {
	lines, from := slices.Collect(strings.Lines(text)), 0
	var out []string
	for i, h := range d.hunks {
		places := h.places(lines)
		if len(places) != 1 || places[0] < from {
			return "", fmt.Errorf("%s: hunk %d (%s) fits in %d places, must be one, and in order:\n%s",
				d.file, i+1, h.head, len(places), strings.Join(h.before, ""))
		}
		out = append(out, lines[from:places[0]]...)
		out = append(out, h.after...)
		from = places[0] + len(h.before)
	}
	return strings.Join(append(out, lines[from:]...), ""), nil
}

// places are where in lines h fits.
func (h hunk) places(lines []string) (at []int) {
	for i := range len(lines) - len(h.before) + 1 {
		if slices.Equal(lines[i:i+len(h.before)], h.before) {
			at = append(at, i)
		}
	}
	return at
}
