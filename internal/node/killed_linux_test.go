package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// TestUpKilled: kill -9 of the process that has a whole cluster, Pods and all, leaves nothing.
func TestUpKilled(t *testing.T) {
	needs(t, Possible())
	spaces := netSpaces(t)
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envUp+"=1")
	lines := make(chan string, 1)
	parent, err := proc.Start(cmd, proc.Options{
		Out: func(line []byte) { lines <- string(line) },
		Err: func(line []byte) { fmt.Fprintf(os.Stderr, "%s\n", line) },
	})
	require.NoError(t, err)
	t.Cleanup(parent.Kill)
	var dir string
	select {
	case dir = <-lines:
	case <-parent.Exited():
		t.Fatal("no cluster came up")
	}
	id := filepath.Base(dir)
	require.NotEmpty(t, processesOf(t, id), "its processes cannot be told from others")
	require.Greater(t, len(netSpaces(t)), len(spaces))
	groups, err := findCgroups()
	require.NoError(t, err)
	require.NotEmpty(t, groups.processes(id, "kubepods"), "no Pod runs")

	require.NoError(t, unix.Kill(-parent.PID(), unix.SIGKILL)) // its group too, as CI does
	<-parent.Exited()
	for end := time.Now().Add(time.Minute); len(processesOf(t, id)) > 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	require.Empty(t, processesOf(t, id))
	require.Eventually(t, func() bool { return !lives(dir) }, time.Minute, 50*time.Millisecond)
	require.NoDirExists(t, dir)
	for _, root := range groups.roots {
		require.NoDirExists(t, filepath.Join(root, id))
	}
	require.NotContains(t, mounts(t), id)
	require.Len(t, netSpaces(t), len(spaces), "network namespaces")
}

const envUp = "HOTSEAT_NODE_UP"

// runUp is a process that has a cluster with a Pod until somebody kills it: see TestMain.
func runUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	image := Image{Name: "hotseat.test/sleep:1", Package: modulePath + "/pause"}
	c, err := Up(ctx, Options{Images: []Image{image}, Progress: os.Stderr})
	if err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "", "run", "p", "--image", image.Name); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "", "wait", "--for=condition=Ready", "pod/p", "--timeout=2m"); err != nil {
		return err
	}
	fmt.Println(c.Dir())
	select {}
}

// processesOf are those whose command line has a word.
func processesOf(t *testing.T, word string) (found []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), word) {
			found = append(found, path)
		}
	}
	return found
}

// netSpaces are the network namespaces of all processes.
func netSpaces(t *testing.T) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/ns/net")
	require.NoError(t, err)
	all := map[string]bool{}
	for _, path := range paths {
		if name, err := os.Readlink(path); err == nil {
			all[name] = true
		}
	}
	return all
}
