package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// rootPath is the path of the root module; that of each nested one begins with it.
const rootPath = "github.com/hotseat-go/hotseat"

// published is a module that others can require.
type published struct {
	path string // github.com/hotseat-go/hotseat/fencing/redisfence
	dir  string // below the root: fencing/redisfence, and "." for the root itself
}

// tag is what git must call the module's version.
func (p published) tag(version string) string {
	if p.dir == "." {
		return version
	}
	return p.dir + "/" + version
}

// publishable are the modules among a repository's files that are for others, the
// root first. Those in internal and testdata are for tests, those in examples to be
// read.
func publishable(files []string) []published {
	var modules []published
	for _, file := range files {
		if path.Base(file) != "go.mod" {
			continue
		}
		dir := path.Dir(file)
		parts := strings.Split(dir, "/")
		if parts[0] == "internal" || parts[0] == "examples" || slices.Contains(parts, "testdata") {
			continue
		}
		modules = append(modules, published{path: path.Join(rootPath, dir), dir: dir})
	}
	slices.SortFunc(modules, func(a, b published) int { return strings.Compare(a.path, b.path) })
	return modules
}

// rewrite is a module's go.mod as it must be once released: ours are required at
// the version, and nothing is replaced.
func rewrite(gomod []byte, version string) ([]byte, error) {
	f, err := modfile.Parse("go.mod", gomod, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Clone(f.Replace) {
		if !ours(r.Old.Path) {
			return nil, fmt.Errorf("%s replaces %s: whoever requires the module does not get that",
				f.Module.Mod.Path, r.Old.Path)
		}
		if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return nil, err
		}
	}
	for _, r := range slices.Clone(f.Require) {
		if !ours(r.Mod.Path) {
			continue
		}
		if err := f.AddRequire(r.Mod.Path, version); err != nil {
			return nil, err
		}
	}
	f.Cleanup()
	return f.Format()
}

// ours reports whether the path is of a module in this repository.
func ours(path string) bool { return path == rootPath || strings.HasPrefix(path, rootPath+"/") }

// requiresOurs is the version at which a go.mod requires our root; empty if it does
// not.
func requiresOurs(gomod []byte) (string, error) {
	f, err := modfile.Parse("go.mod", gomod, nil)
	if err != nil {
		return "", err
	}
	for _, r := range f.Require {
		if r.Mod.Path == rootPath {
			return r.Mod.Version, nil
		}
	}
	return "", nil
}
