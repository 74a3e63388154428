package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// apidiff is the Go team's own comparison, at a version of ours.
const apidiff = "golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4"

// api compares what each module exports with its last release.
func (c *check) api(ctx context.Context) error {
	said, err := command(ctx, c.root, nil, "git", "tag", "--list")
	if err != nil {
		return err
	}
	tags := strings.Fields(said)
	var all error
	for _, m := range c.modules {
		last := lastTag(tags, m, c.version)
		if last == "" {
			fmt.Fprintf(c.out, "release-check: API of %s: no earlier release to compare with\n", m.path)
			continue
		}
		broken, report, err := c.compare(ctx, m, last)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		fmt.Fprintf(c.out, "release-check: API of %s since %s:\n%s\n", m.path, last, report)
		if broken && !mayBreak(last, m.tag(c.version)) {
			all = errors.Join(all, fmt.Errorf("%s breaks its users since %s: %s is too small a step",
				m.path, last, c.version))
		}
	}
	return all
}

// lastTag is the newest release of m before the version; empty if there is none.
func lastTag(tags []string, m published, version string) (last string) {
	prefix := m.tag("")
	for _, tag := range tags {
		v, is := strings.CutPrefix(tag, prefix)
		if !is || !semver.IsValid(v) || semver.Prerelease(v) != "" || semver.Compare(v, version) >= 0 {
			continue
		}
		if last == "" || semver.Compare(v, strings.TrimPrefix(last, prefix)) > 0 {
			last = tag
		}
	}
	return last
}

// mayBreak reports whether the step between two tags of one module allows it: from
// a version before 1.0 the next minor one does, after it nothing.
func mayBreak(last, next string) bool {
	last, next = last[strings.LastIndex(last, "/")+1:], next[strings.LastIndex(next, "/")+1:]
	return semver.Major(last) == "v0" && semver.MajorMinor(last) != semver.MajorMinor(next)
}

// compare asks apidiff. It reports whether users' code may stop compiling.
func (c *check) compare(
	ctx context.Context, m published, last string,
) (broken bool, report string, err error) {
	dir := filepath.Join(c.tmp, "api", m.dir)
	before := filepath.Join(dir, "before")
	if err := checkOut(ctx, c.root, last, before); err != nil {
		return false, "", err
	}
	older, newer := filepath.Join(dir, "before.api"), filepath.Join(dir, "after.api")
	tool := []string{c.goTool, "run", apidiff, "-m"}
	for file, source := range map[string]string{older: before, newer: c.root} {
		args := append(slices.Clone(tool), "-w", file, m.path)
		if _, err := command(ctx, filepath.Join(source, m.dir), nil, args...); err != nil {
			return false, "", err
		}
	}
	diff := func(flags ...string) (string, error) {
		return command(ctx, c.root, nil, slices.Concat(tool, flags, []string{older, newer})...)
	}
	if report, err = diff(); err != nil {
		return false, "", err
	}
	incompatible, err := diff("-incompatible")
	if report == "" {
		report = "no change"
	}
	return incompatible != "", report, err
}

// checkOut puts the files of a tag into a folder.
func checkOut(ctx context.Context, root, tag, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(filepath.Dir(dir), "before.tar")
	if _, err := command(ctx, root, nil, "git", "archive", "-o", archive, tag); err != nil {
		return err
	}
	_, err := command(ctx, root, nil, "tar", "-xf", archive, "-C", dir)
	return err
}
