package structure

import (
	"encoding/json"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const ours = "github.com/hotseat-go/hotseat/"

// TestStructure holds the packages of all modules to the rules.
func TestStructure(t *testing.T) {
	g := graph{}
	for _, module := range modules(t) {
		g.load(t, module)
	}
	for _, r := range rules() {
		require.Empty(t, r.unknown(g), "a rule about packages that are not there: %+v", r)
		for _, sentence := range r.broken(g) {
			t.Error(sentence)
		}
	}
}

// modules are the folders of those in the repository, as internal/ci/modules.sh has them.
func modules(t *testing.T) (folders []string) {
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.Name() == "go.mod":
			folders = append(folders, filepath.Dir(path))
		}
		return nil
	}))
	require.Greater(t, len(folders), 1)
	return folders
}

// load adds a module's packages, and all that they reach.
func (g graph) load(t *testing.T, module string) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports", "./...")
	list.Dir = module
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	require.NoError(t, err, "go list in %s: %s", module, &stderr)
	for packages := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath                         string
			Standard                           bool
			Imports, TestImports, XTestImports []string
		}
		if err := packages.Decode(&p); err == io.EOF {
			return
		}
		require.NoError(t, err)
		g.add(p.ImportPath, p.Standard, p.Imports, append(p.TestImports, p.XTestImports...))
	}
}

func (g graph) add(path string, standard bool, imports, tests []string) {
	if standard {
		imports = nil
	}
	name := short(path)
	g[name] = node{shortAll(imports), standard}
	if name != path {
		g["test:"+name] = node{imports: append(shortAll(tests), name)}
	}
}

// short is the folder of a package of ours, and any other's path.
func short(path string) string {
	if below, is := strings.CutPrefix(path, ours); is {
		return "./" + below
	}
	return path
}

func shortAll(paths []string) []string {
	all := make([]string, 0, len(paths))
	for _, path := range paths {
		all = append(all, short(path))
	}
	return all
}
