// Package samples keeps measured times in files, from which internal/pictures draws. A command that
// measures writes such a file beside its table. The file has every time, not only percentiles.
package samples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Env is the variable with the folder that Keep writes to.
const Env = "HOTSEAT_SAMPLES"

// Set is what one command measured in one run.
type Set struct {
	Head
	Groups []Group
}

// Head says where a set comes from.
type Head struct {
	Command  string // that measures it anew
	What     string // from when to when each time is, and at which timings
	Versions string // of Go, and of what it ran on
	Date     string // as in 2006-01-02, UTC
}

// Group is the times of one of those that are compared, in seconds.
type Group struct {
	Name    string
	Seconds []float64
}

// New returns a set without groups, of today. Versions tells of more than Go, and may be empty.
func New(command, what, versions string) Set {
	goes := runtime.Version()
	if versions != "" {
		goes += ", " + versions
	}
	return Set{Head: Head{
		Command: command, What: what, Versions: goes, Date: time.Now().UTC().Format(time.DateOnly),
	}}
}

// Add appends a group. Times are kept to the tenth of a millisecond.
func (s *Set) Add(name string, times []time.Duration) {
	g := Group{Name: name, Seconds: make([]float64, 0, len(times))}
	for _, t := range times {
		g.Seconds = append(g.Seconds, math.Round(t.Seconds()*1e4)/1e4)
	}
	s.Groups = append(s.Groups, g)
}

// Keep writes the set to the folder that $HOTSEAT_SAMPLES names. Without that variable it does
// nothing: a run that is no measurement keeps nothing.
func (s Set) Keep(name string) error {
	dir := os.Getenv(Env)
	if dir == "" {
		return nil
	}
	return s.Write(dir, name)
}

// Write makes the file name.json of the set in dir: the head in the first line, then a line for each
// group.
func (s Set) Write(dir, name string) error {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	if err := lines.Encode(s.Head); err != nil {
		return fmt.Errorf("samples: encode %s: %w", name, err)
	}
	for _, g := range s.Groups {
		if err := lines.Encode(g); err != nil {
			return fmt.Errorf("samples: encode group %q of %s: %w", g.Name, name, err)
		}
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), out.Bytes(), 0o600)
}

// Read reads what Write made. A set must have a head, and each group a name and a time.
func Read(dir, name string) (s Set, err error) {
	file, err := os.Open(filepath.Join(dir, name+".json"))
	if err != nil {
		return s, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	lines := json.NewDecoder(bufio.NewReader(file))
	lines.DisallowUnknownFields()
	if err := lines.Decode(&s.Head); err != nil {
		return s, fmt.Errorf("samples: head of %s: %w", file.Name(), err)
	}
	for {
		var g Group
		switch err := lines.Decode(&g); {
		case err == io.EOF && len(s.Groups) > 0:
			return s, nil
		case err != nil:
			return s, fmt.Errorf("samples: group %d of %s: %w", len(s.Groups), file.Name(), err)
		case g.Name == "" || len(g.Seconds) == 0:
			return s, fmt.Errorf("samples: group %d of %s has no name or no times", len(s.Groups), file.Name())
		}
		s.Groups = append(s.Groups, g)
	}
}
