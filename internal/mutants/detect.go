package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// detector runs tests that are to fail on a mutated tree.
type detector struct {
	name string
	// command returns the arguments of go test and what to add to the
	// environment; no arguments mean that m is not for this detector.
	command func(m mutant) (args, env []string)
}

// suite is the tests of the packages themselves.
func suite(timeout time.Duration) detector {
	return detector{"suite", func(m mutant) ([]string, []string) {
		return []string{"-failfast", "-timeout", timeout.String(), "-run", m.run, m.pkg}, nil
	}}
}

// simulator is the random schedules of internal/sim, from seed 1 up, so that
// what caught a mutant once catches it again.
func simulator(timeout time.Duration, pkg, run string) detector {
	return detector{"sim", func(m mutant) ([]string, []string) {
		if m.seeds == 0 {
			return nil, nil
		}
		return []string{"-failfast", "-timeout", timeout.String(), "-run", run, pkg},
			[]string{"SIM_FROM=1", "SIM_SEEDS=" + strconv.Itoa(m.seeds)}
	}}
}

// verdict of one detector on one mutant.
type verdict struct {
	asked  bool   // the mutant was for this detector
	caught string // what failed; empty: the mutant survived
	took   time.Duration
}

// errBroken: the mutated tree does not compile, so nothing was tested.
var errBroken = errors.New("does not compile")

// try runs d on the tree at root with m applied. The tree itself is never
// changed: the mutated file is laid over it (go help build, -overlay). The zero
// mutant leaves the tree as it is.
func try(ctx context.Context, goTool, root string, m mutant, d detector) (verdict, error) {
	args, env := d.command(m)
	if len(args) == 0 {
		return verdict{}, nil
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return verdict{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
	overlay, err := lay(dir, root, m)
	if err != nil {
		return verdict{}, err
	}
	cmd := exec.CommandContext(ctx, goTool, append([]string{"test", "-count=1", "-overlay", overlay}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err = cmd.Run()
	v := verdict{asked: true, took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case err == nil && strings.Contains(out.String(), "no tests to run"):
		return v, fmt.Errorf("mutant %q: -run %q matches no test", m.name, m.run)
	case err == nil:
		return v, nil
	case ctx.Err() != nil:
		return v, context.Cause(ctx)
	case !errors.As(err, &exit):
		return v, err
	case notBuilt(out.String()):
		return v, fmt.Errorf("mutant %q: %w:\n%s", m.name, errBroken, out.String())
	}
	v.caught = firstFailure(out.String())
	return v, nil
}

// lay writes the mutated file and the overlay that puts it in its place.
func lay(dir, root string, m mutant) (string, error) {
	replace := map[string]string{}
	if m.file != "" {
		text, err := m.apply(root)
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, filepath.Base(m.file))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(m.file))] = file
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

func notBuilt(out string) bool {
	return strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]")
}

// firstFailure names what failed in the output of go test: the innermost of the
// first failing tests, or how the test binary died.
func firstFailure(out string) string {
	how := ""
	switch {
	case strings.Contains(out, "panic: test timed out"):
		how = " (never ends)"
	case strings.Contains(out, "deadlock: "):
		how = " (deadlock)"
	case strings.Contains(out, "panic: "):
		how = " (panic)"
	}
	failed := regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`).FindAllStringSubmatch(out, -1)
	name := ""
	for _, f := range failed { // children follow their parent
		if name == "" || strings.HasPrefix(f[1], name+"/") {
			name = f[1]
		}
	}
	if running := regexp.MustCompile(`(?m)^\s+(Test\S+) \(`).FindStringSubmatch(out); name == "" && running != nil {
		name = running[1]
	}
	if name == "" {
		name = "the test binary died"
	}
	return name + how
}
