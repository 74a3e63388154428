//go:build unix

package fromsource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Module is what programs are built from.
type Module struct {
	Dir      string   // of its go.mod
	Modfile  string   // another file beside it to use in go.mod's place; empty: go.mod
	Main     string   // the module whose required version names the result
	Packages []string // what go build is told to build: programs
	Tags     string   // build constraints, separated by commas
	CGO      bool
	Says     []string // variables that are to hold the version, as the linker has them

	Cache string // where results are kept; empty: .cache/fromsource below the root
}

// Version is the one of Main that the modfile requires.
func (m Module) Version() (string, error) {
	text, err := os.ReadFile(filepath.Join(m.Dir, m.modfile()))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == m.Main {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("fromsource: %s does not require %s", m.modfile(), m.Main)
}

func (m Module) modfile() string {
	if m.Modfile == "" {
		return "go.mod"
	}
	return m.Modfile
}

// Build returns the folder of the programs, and builds them if they are not in the cache. How far
// it is goes to progress each half minute. Concurrent calls, also of several processes, build once.
func (m Module) Build(ctx context.Context, progress io.Writer) (bin string, err error) {
	dir, err := m.folder(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	bin = filepath.Join(dir, "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	began, fresh := time.Now(), filepath.Join(dir, "new")
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o755)); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "fromsource: building %s, once; this takes minutes\n", filepath.Base(dir))
	if err := m.compile(ctx, fresh, progress); err != nil {
		return "", fmt.Errorf("fromsource: building %s: %w", m.Main, err)
	}
	if err := os.Rename(fresh, bin); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "fromsource: built %s in %v\n",
		filepath.Base(dir), time.Since(began).Round(time.Second))
	return bin, nil
}

// folder is where the result of just this module, built by this Go, is kept.
func (m Module) folder(ctx context.Context) (string, error) {
	version, err := m.Version()
	if err != nil {
		return "", err
	}
	key, err := m.key()
	if err != nil {
		return "", err
	}
	name := strings.Join([]string{filepath.Base(m.Dir), version, runtime.Version(), key}, "-")
	if m.Cache != "" {
		return filepath.Join(m.Cache, name), nil
	}
	root, err := Folder(ctx, "github.com/hotseat-go/hotseat", "-m")
	return filepath.Join(root, ".cache", "fromsource", name), err
}

// key stands for everything that the result is made of, but for what the versions name.
func (m Module) key() (string, error) {
	files, err := filepath.Glob(filepath.Join(m.Dir, "*.go"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	mod := filepath.Join(m.Dir, m.modfile())
	hash := sha256.New()
	for _, path := range append(files, mod, strings.TrimSuffix(mod, ".mod")+".sum") {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(path), len(text), text)
	}
	fmt.Fprintf(hash, "%q %q %v %q", m.Packages, m.Tags, m.CGO, m.Says)
	return fmt.Sprintf("%x", hash.Sum(nil)[:6]), nil
}

// Folder is that of a package, as go list has it from where this process is.
func Folder(ctx context.Context, path string, flags ...string) (string, error) {
	args := append(append([]string{"list", "-f", "{{.Dir}}"}, flags...), path)
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("fromsource: go list %s: %w", path, complaint(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// complaint adds what a command said on its standard error.
func complaint(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}
