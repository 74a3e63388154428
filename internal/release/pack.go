package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// pack makes the zips of what others can require, from the files that git knows as
// they are now, and returns the folder that serves them as a Go proxy does.
func pack(
	ctx context.Context, root, tmp, version string,
) (modules []published, proxy string, err error) {
	said, err := command(ctx, root, nil, "git", "ls-files", "-z")
	if err != nil {
		return nil, "", err
	}
	files := strings.Split(strings.TrimRight(said, "\x00"), "\x00")
	source, proxy := filepath.Join(tmp, "source"), filepath.Join(tmp, "proxy")
	if err := copyFiles(root, source, files); err != nil {
		return nil, "", err
	}
	modules = publishable(files)
	for _, m := range modules {
		if err := serve(source, proxy, m, version); err != nil {
			return nil, "", fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return modules, proxy, nil
}

// copyFiles leaves out what is no regular file, as a module's zip does, and what is
// deleted and not committed.
func copyFiles(from, to string, files []string) error {
	for _, file := range files {
		info, err := os.Lstat(filepath.Join(from, file))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			return err
		}
		if err := write(filepath.Join(to, file), text); err != nil {
			return err
		}
	}
	return nil
}

// serve puts a module's version into the proxy: its go.mod as released, its zip and
// what is said about it.
func serve(source, proxy string, m published, version string) error {
	dir := filepath.Join(source, m.dir)
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	if gomod, err = rewrite(gomod, version); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "go.mod"), gomod); err != nil {
		return err
	}
	if err := inherit(source, dir); err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.path)
	if err != nil {
		return err
	}
	at := filepath.Join(proxy, escaped, "@v")
	info := fmt.Sprintf(`{"Version": %q, "Time": %q}`, version, time.Now().UTC().Format(time.RFC3339))
	files := map[string]string{"list": version, version + ".info": info, version + ".mod": string(gomod)}
	for name, text := range files {
		if err := write(filepath.Join(at, name), []byte(text+"\n")); err != nil {
			return err
		}
	}
	out, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		return err
	}
	err = zip.CreateFromDir(out, module.Version{Path: m.path, Version: version}, dir)
	return errors.Join(err, out.Close())
}

// inherit gives a nested module the repository's licence, as the go command does
// when it makes the zip of one that has none.
func inherit(source, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "LICENSE")); err == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(source, "LICENSE"))
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, "LICENSE"), text)
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
