package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	groups, err := findCgroups()
	require.NoError(t, err)
	require.NotEmpty(t, groups.processes(id, "kubepods"), "no Pod runs")
	own := map[string]bool{}
	for _, pid := range append(processesOf(t, id), groups.processes(id)...) {
		own[netSpace(pid)] = true
	}
	delete(own, netSpace(os.Getpid()))
	delete(own, "") // it has just ended
	require.GreaterOrEqual(t, len(own), 3, "of the API server, the node and the Pod: %v", own)

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
	paths, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		require.NoError(t, err)
		require.False(t, own[netSpace(pid)], "process %d is in a network namespace of it", pid)
	}
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
func processesOf(t *testing.T, word string) (pids []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), word) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// netSpace is a process's network namespace; empty when there is no such process.
func netSpace(pid int) string {
	name, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return name
}
