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

// detector is a test that is to fail on a mutated tree.
type detector struct {
	name    string
	pkg     string // the package it is in, "./..." style
	run     string // a -run pattern
	env     []string
	timeout time.Duration // of the test
	endless time.Duration // of the processor: what times out after so much never ends, after less it was starved
	tell    func(out string) string
}

// suite is the tests of the packages themselves.
func suite(m mutant, timeout time.Duration) detector {
	return detector{name: "suite", pkg: m.pkg, run: m.run, timeout: timeout, endless: timeout / 4, tell: firstFailure}
}

const (
	envSeeds = "MUTANT_SEEDS"
	saySeed  = "playing seed"
	sayRule  = "violated:"

	sayTimeout = "panic: test timed out"
)

// simulator is random schedules of internal/sim, from seed 1 up, so that what
// caught a mutant once catches it again. One P runs a bubble fastest.
func simulator(seeds int, timeout time.Duration) detector {
	return detector{
		name: "sim", pkg: "./internal/mutants", run: "^TestSeeds$", timeout: timeout, endless: timeout / 4, tell: firstSeed,
		env: []string{envSeeds + "=" + strconv.Itoa(seeds), "GOMAXPROCS=1", "GOGC=400"},
	}
}

// errBroken: the mutated tree does not compile, so nothing was tested.
var errBroken = errors.New("does not compile")

// try runs d on the tree at root with m applied and returns what failed, "" if m
// survived. The tree itself is never changed: the mutated file is laid over it
// (go help build, -overlay). The zero mutant leaves the tree as it is.
func try(ctx context.Context, goTool, root string, m mutant, d detector) (caught string, err error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
	overlay, err := lay(dir, root, m)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mutant.test")
	module, pkg := moduleOf(root, d.pkg)
	build := exec.CommandContext(ctx, goTool, "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, pkg)
	build.Dir = module
	if out, err := build.CombinedOutput(); ctx.Err() != nil {
		return "", context.Cause(ctx)
	} else if err != nil {
		return "", fmt.Errorf("mutant %s: %w: %w:\n%s", m.name, errBroken, err, out)
	}
	test := exec.CommandContext(ctx, binary, "-test.failfast", "-test.timeout", d.timeout.String(), "-test.run", d.run)
	test.Dir = filepath.Join(root, filepath.FromSlash(d.pkg))
	test.Env = append(append(os.Environ(), "HOTSEAT_WHOLE=1"), d.env...)
	var out bytes.Buffer
	test.Stdout, test.Stderr = &out, &out
	err = test.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil && strings.Contains(out.String(), "no tests to run"):
		return "", fmt.Errorf("mutant %s: -run %q matches no test of %s", m.name, d.run, d.pkg)
	case err == nil:
		return "", nil
	case errors.As(err, &exit):
		if used := exit.UserTime() + exit.SystemTime(); strings.Contains(out.String(), sayTimeout) && used < d.endless {
			return "", fmt.Errorf("mutant %s: the %s used %v of the processor in %v: the machine is too busy", m.name, d.name, used, d.timeout)
		}
		return d.tell(out.String()), nil
	}
	return "", err
}

// moduleOf returns the folder of a package's module, and the package as seen from there: some packages are modules of their own.
func moduleOf(root, pkg string) (dir, inside string) {
	here := filepath.Join(root, filepath.FromSlash(pkg))
	if _, err := os.Stat(filepath.Join(here, "go.mod")); err == nil {
		return here, "."
	}
	return root, pkg
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

// firstFailure names what failed in the output of a test binary: the innermost
// of the first failing tests, or how the binary died.
func firstFailure(out string) string {
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
	if death := deathOf(out); death != "" {
		name += " (" + death + ")"
	}
	return name
}

// firstSeed names the seed that a test of the simulator stopped at, and the rule
// that was violated there.
func firstSeed(out string) string {
	seeds := regexp.MustCompile(`(?m)^`+saySeed+` (\d+)$`).FindAllStringSubmatch(out, -1)
	if len(seeds) == 0 {
		return firstFailure(out)
	}
	what := deathOf(out)
	if rule := regexp.MustCompile(sayRule + ` ([^:\n]+):`).FindStringSubmatch(out); rule != nil {
		what = rule[1]
	}
	return fmt.Sprintf("seed %s: %s", seeds[len(seeds)-1][1], what)
}

func deathOf(out string) string {
	switch {
	case strings.Contains(out, sayTimeout):
		return "never ends"
	case strings.Contains(out, "deadlock: "):
		return "deadlock"
	case strings.Contains(out, "panic: "):
		return "panic"
	}
	return ""
}
