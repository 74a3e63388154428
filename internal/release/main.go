package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	version := flag.String("version", "", "the `version` to release, as v0.1.0")
	goTool := flag.String("go", "go", "the go command")
	flag.Parse()
	if err := run(ctx, *goTool, *version, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release-check:", err)
		os.Exit(1)
	}
}

// run does every check, so that one run shows all that fails.
func run(ctx context.Context, goTool, version string, out io.Writer) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "hotseat-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	c := check{goTool: goTool, version: version, tmp: tmp, out: out}
	if c.root, err = command(ctx, ".", nil, "git", "rev-parse", "--show-toplevel"); err != nil {
		return err
	}
	if err := c.clean(ctx); err != nil {
		return err
	}
	if c.modules, c.proxy, err = pack(ctx, c.root, tmp, version); err != nil {
		return err
	}
	for _, m := range c.modules {
		fmt.Fprintf(out, "release-check: zip of %s@%s\n", m.path, version)
	}
	err = errors.Join(c.outside(ctx), c.api(ctx), c.licences(ctx))
	if err == nil {
		err = c.needs()
	}
	return err
}

// check is one run.
type check struct {
	goTool, version string
	root            string // of the repository
	tmp             string
	out             io.Writer
	modules         []published
	proxy           string // the folder that serves them
}

// checkVersion refuses what Go would not take for a version of these modules, whose
// paths end in no /v2.
func checkVersion(version string) error {
	if version == "" {
		return errors.New("say which version: make release-check VERSION=v0.1.0")
	}
	if semver.Canonical(version) != version {
		return fmt.Errorf("VERSION=%s: must be like v0.1.0", version)
	}
	if err := module.CheckPathMajor(version, ""); err != nil {
		return fmt.Errorf("VERSION=%s: the module path has no major version: must be v0 or v1", version)
	}
	return nil
}

// clean refuses a tree with changes: a tag is of a commit.
func (c *check) clean(ctx context.Context) error {
	changes, err := command(ctx, c.root, nil, "git", "status", "--porcelain")
	if err != nil || changes == "" {
		return err
	}
	return fmt.Errorf("the tree has changes that no tag would have; commit them first:\n%s", changes)
}

// outside has a program require every module at the version and use them.
func (c *check) outside(ctx context.Context) error {
	dir := filepath.Join(c.tmp, "outside")
	if err := newOutside(c.root, dir); err != nil {
		return err
	}
	env, err := outsideEnv(ctx, c.goTool, c.proxy, filepath.Join(c.tmp, "mod"))
	if err != nil {
		return err
	}
	get := []string{c.goTool, "get"}
	for _, m := range c.modules {
		get = append(get, m.path+"@"+c.version)
	}
	for _, args := range [][]string{get, {c.goTool, "mod", "tidy"}, {c.goTool, "run", "."}} {
		said, err := command(ctx, dir, env, args...)
		if err != nil {
			return fmt.Errorf("a program outside of the repository: %w", err)
		}
		if args[1] == "run" {
			fmt.Fprintf(c.out, "release-check: a program outside of the repository says: %s\n", said)
		}
	}
	return nil
}
