package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
)

// TestAddingHotseatMovesNothingOfKubernetes: a service with versions older than the
// newest takes hotseat up, as go get does it, and keeps every line of Kubernetes
// and of Prometheus. It downloads modules, which is why it is not among the root's.
func TestAddingHotseatMovesNothingOfKubernetes(t *testing.T) {
	const version = "v0.0.1"
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	tmp := t.TempDir()
	modules, proxy, err := pack(t.Context(), root, tmp, version)
	require.NoError(t, err)
	env, err := outsideEnv(t.Context(), "go", proxy, filepath.Join(tmp, "mod"))
	require.NoError(t, err)
	dir := filepath.Join(tmp, "scratch")
	text, err := os.ReadFile(filepath.Join("testdata", "scratch", "main.go"))
	require.NoError(t, err)
	require.NoError(t, write(filepath.Join(dir, "main.go"), text))
	require.NoError(t, write(filepath.Join(dir, "go.mod"), []byte(`module example.com/scratch

go 1.26.0

require (
	github.com/prometheus/client_golang v1.23.0
	k8s.io/api v0.36.0
	k8s.io/apimachinery v0.36.0
	k8s.io/client-go v0.36.0
)
`)))
	run := func(args ...string) {
		_, err := command(t.Context(), dir, env, args...)
		require.NoError(t, err)
	}
	run("go", "mod", "tidy")
	before := watched(t, dir)
	require.Contains(t, before, "k8s.io/client-go")
	require.Contains(t, before, "github.com/prometheus/client_golang")

	with := "package main\n\nimport (\n\t_ \"" + rootPath + "/fencing/fencingprom\"\n\t_ \"" + rootPath + "/singleton\"\n)\n"
	require.NoError(t, write(filepath.Join(dir, "hotseat.go"), []byte(with)))
	run("go", "get", modules[0].path+"@"+version)
	run("go", "mod", "tidy")
	after := watched(t, dir)
	for path, v := range before {
		require.Equal(t, v, after[path], "%s moved for whoever adds hotseat: a floor in our go.mod is too high", path)
	}
}

// watched are the versions in the folder's go.mod of what must not move.
func watched(t *testing.T, dir string) map[string]string {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	f, err := modfile.Parse("go.mod", text, nil)
	require.NoError(t, err)
	versions := map[string]string{}
	for _, r := range f.Require {
		for _, prefix := range []string{"k8s.io/", "sigs.k8s.io/", "github.com/prometheus/"} {
			if strings.HasPrefix(r.Mod.Path, prefix) {
				versions[r.Mod.Path] = r.Mod.Version
			}
		}
	}
	return versions
}
