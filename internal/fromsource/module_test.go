//go:build unix

package fromsource

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// written is a module that needs no network, and what it is to print.
func written(t *testing.T, program string) Module {
	t.Helper()
	m := Module{Dir: filepath.Join(t.TempDir(), "hello"), Main: "dep.example", Packages: []string{"."}, Cache: t.TempDir()}
	for path, text := range map[string]string{
		"go.mod":     "module hello.example/hello\n\ngo 1.26.0\n\nrequire dep.example v1.2.3\n\nreplace dep.example => ./dep\n",
		"go.sum":     "",
		"dep/go.mod": "module dep.example\n\ngo 1.26.0\n",
		"dep/dep.go": "package dep\n\nconst Word = \"hello\"\n",
		"main.go":    program,
	} {
		path = filepath.Join(m.Dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return m
}

const hello = `package main

import "dep.example"

var version string

func main() { println(dep.Word, version) }
`

// TestBuild: once, by several at a time, and anew after a change.
func TestBuild(t *testing.T) {
	t.Parallel()
	m := written(t, hello)
	m.Says = []string{"main.version"}
	var progress writer
	bins := make([]string, 3)
	var all sync.WaitGroup
	for i := range bins {
		all.Go(func() { bins[i], _ = m.Build(t.Context(), &progress) })
	}
	all.Wait()
	for _, bin := range bins {
		require.Equal(t, bins[0], bin)
	}
	require.Equal(t, 1, strings.Count(progress.String(), "building hello-v1.2.3-go"), "%s", progress.String())
	out, err := exec.CommandContext(t.Context(), filepath.Join(bins[0], "hello")).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "hello v1.2.3\n", string(out))

	other := strings.Replace(hello, "dep.Word", `"changed"`, 1)
	other = strings.Replace(other, `import "dep`, `import _ "dep`, 1)
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, "main.go"), []byte(other), 0o600))
	bin, err := m.Build(t.Context(), io.Discard)
	require.NoError(t, err)
	require.NotEqual(t, bins[0], bin)
	m.Tags = "other"
	tagged, err := m.Build(t.Context(), io.Discard)
	require.NoError(t, err)
	require.NotEqual(t, bin, tagged)
}

// TestABuildThatFails tells why, and leaves nothing that passes for a result.
func TestABuildThatFails(t *testing.T) {
	t.Parallel()
	m := written(t, strings.Replace(hello, "dep.Word", "dep.None", 1))
	for range 2 {
		_, err := m.Build(t.Context(), io.Discard)
		require.ErrorContains(t, err, "building dep.example")
		require.ErrorContains(t, err, "undefined: dep.None")
	}
	m.Main = "none.example"
	_, err := m.Build(t.Context(), io.Discard)
	require.EqualError(t, err, "fromsource: go.mod does not require none.example")
	_, err = Folder(t.Context(), "none.example/none")
	require.ErrorContains(t, err, "fromsource: go list none.example/none: exit status 1: ")
}

// writer is safe for concurrent use.
type writer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *writer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
