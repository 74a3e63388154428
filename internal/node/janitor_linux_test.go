package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// household is what a cluster without programs is: a janitor, and a frozen machine in a cgroup.
func household(dir, cgroup string) (*janitor, *machine, error) {
	groups, err := findCgroups()
	if err != nil {
		return nil, nil, err
	}
	j, err := hire(will{Dir: dir, Cgroup: cgroup})
	if err != nil {
		return nil, nil, err
	}
	if err := groups.create(cgroup + "/m/machine"); err != nil {
		return j, nil, err
	}
	m, err := startMachine("m", dir)
	if err != nil {
		return j, nil, err
	}
	if err := groups.add(cgroup+"/m/machine", m.run.PID()); err != nil {
		return j, m, err
	}
	return j, m, groups.freeze(cgroup+"/m", true)
}

// runHousehold is a process that has one until somebody kills it: see TestMain.
func runHousehold(dir string) error {
	j, m, err := household(dir, filepath.Base(dir))
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(strconv.Itoa(m.run.PID()) + " " + strconv.Itoa(j.run.Process.Pid) + "\n")
	if err != nil {
		return err
	}
	select {}
}

// requireNothing: neither a folder nor a cgroup nor the process is there.
func requireNothing(t *testing.T, dir string, pid int) {
	t.Helper()
	groups, err := findCgroups()
	require.NoError(t, err)
	gone := func() bool {
		_, err := os.Stat(dir)
		for _, root := range groups.roots {
			if _, err := os.Stat(filepath.Join(root, filepath.Base(dir))); err == nil {
				return false
			}
		}
		return os.IsNotExist(err) && ended(pid)
	}
	require.Eventually(t, gone, time.Minute, 10*time.Millisecond)
	require.NotContains(t, mounts(t), filepath.Base(dir))
}

// ended: gone, or a zombie that whoever adopted it collects.
func ended(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(text), ") Z ")
}

func mounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	return string(text)
}

func TestDismissed(t *testing.T) {
	needs(t, Possible())
	dir := filepath.Join(t.TempDir(), "hotseat-test-dismissed")
	require.NoError(t, os.Mkdir(dir, 0o755))
	j, m, err := household(dir, filepath.Base(dir))
	require.NoError(t, err)
	n, err := sweep(t.Context(), filepath.Dir(dir))
	require.NoError(t, err)
	require.Zero(t, n, "it lives")
	require.NoError(t, j.dismiss())
	requireNothing(t, dir, m.run.PID())
	<-m.run.Exited()
}

// TestDismissedThoughDead: somebody killed the janitor.
func TestDismissedThoughDead(t *testing.T) {
	needs(t, Possible())
	dir := filepath.Join(t.TempDir(), "hotseat-test-dead")
	require.NoError(t, os.Mkdir(dir, 0o755))
	j, m, err := household(dir, filepath.Base(dir))
	require.NoError(t, err)
	require.NoError(t, j.run.Process.Kill())
	require.ErrorContains(t, j.dismiss(), "the janitor: signal: killed")
	requireNothing(t, dir, m.run.PID())
}

// TestParentKilled: kill -9 of the process that has the cluster, or of its group, leaves nothing.
func TestParentKilled(t *testing.T) {
	needs(t, Possible())
	for _, whom := range []int{1, -1} {
		dir := filepath.Join(t.TempDir(), "hotseat-test-killed")
		require.NoError(t, os.Mkdir(dir, 0o755))
		parent, pids := startHousehold(t, dir)
		require.False(t, ended(pids[0]))
		require.NoError(t, unix.Kill(whom*parent.PID(), unix.SIGKILL))
		<-parent.Exited()
		requireNothing(t, dir, pids[0])
	}
}

// TestAllKilled: and the janitor with it. The next one cleans up.
func TestAllKilled(t *testing.T) {
	needs(t, Possible())
	dir := filepath.Join(t.TempDir(), "hotseat-test-all")
	require.NoError(t, os.Mkdir(dir, 0o755))
	parent, pids := startHousehold(t, dir)
	require.NoError(t, unix.Kill(pids[1], unix.SIGKILL))
	require.Eventually(t, func() bool { return ended(pids[1]) }, time.Minute, time.Millisecond)
	require.NoError(t, parent.Signal(syscall.SIGKILL))
	<-parent.Exited()
	require.DirExists(t, dir)
	n, err := sweep(t.Context(), filepath.Dir(dir))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	requireNothing(t, dir, pids[0])
}

// startHousehold starts a process with one, and returns the process ids of the machine and the
// janitor.
func startHousehold(t *testing.T, dir string) (*proc.Process, [2]int) {
	t.Helper()
	cmd := proc.Self()
	cmd.Env = append(os.Environ(), envHousehold+"="+dir)
	lines := make(chan string, 1)
	parent, err := proc.Start(cmd, proc.Options{
		Out: func(line []byte) { lines <- string(line) },
		Err: func(line []byte) { t.Logf("household: %s", line) },
	})
	require.NoError(t, err)
	t.Cleanup(parent.Kill)
	var pids [2]int
	select {
	case line := <-lines:
		for i, word := range strings.Fields(line) {
			pids[i], err = strconv.Atoi(word)
			require.NoError(t, err)
		}
	case <-parent.Exited():
		t.Fatal("the household ended")
	}
	return parent, pids
}

// TestStrangeWill: nothing but a cluster's own is removed.
func TestStrangeWill(t *testing.T) {
	needs(t, Possible())
	dir := t.TempDir()
	for _, w := range []will{{dir, "."}, {dir, ""}, {dir, "a/b"}, {"relative", "a"}, {dir, ".."}} {
		require.ErrorContains(t, w.execute(), "not a cluster's", "%+v", w)
	}
	require.DirExists(t, dir)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envPart+"=janitor")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "a cluster has to start this process")
}
