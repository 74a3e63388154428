package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCgroups: processes in one are found, frozen and thawed, and nothing stays of it.
func TestCgroups(t *testing.T) {
	needs(t, Possible())
	groups, err := findCgroups()
	require.NoError(t, err)
	const name = "hotseat-test-cgroups"
	t.Cleanup(func() { _ = groups.remove(name) })
	require.NoError(t, groups.create(name+"/a/b"))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do echo; sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	require.NoError(t, groups.add(name+"/a/b", cmd.Process.Pid))
	require.Contains(t, groups.processes(name), cmd.Process.Pid)
	require.Contains(t, groups.processes(name, "a/b"), cmd.Process.Pid)
	require.Empty(t, groups.processes(name, "a/none"))

	heard := make(chan struct{}, 1<<20)
	go func() {
		for buffer := make([]byte, 64); ; {
			if _, err := out.Read(buffer); err != nil {
				return
			}
			heard <- struct{}{}
		}
	}()
	<-heard
	require.NoError(t, groups.freeze(name, true))
	require.True(t, groups.isFrozen(name))
	time.Sleep(100 * time.Millisecond)
	for len(heard) > 0 {
		<-heard
	}
	time.Sleep(200 * time.Millisecond)
	require.Empty(t, heard, "it is frozen")
	require.NoError(t, groups.freeze(name, false))
	<-heard
	require.Error(t, groups.removeNow(name), "somebody is in it")
	require.NoError(t, cmd.Process.Kill())
	require.NoError(t, groups.remove(name))
	for _, root := range groups.roots {
		require.NoDirExists(t, filepath.Join(root, name))
	}
	require.NoError(t, groups.remove(name), "may be said twice")
}

// TestMachine: what its process 1 shows of the host, and what it lets nobody change.
func TestMachine(t *testing.T) {
	needs(t, Possible())
	own, setting := t.TempDir(), "/proc/sys/vm/overcommit_memory"
	before, err := os.ReadFile(setting)
	require.NoError(t, err)
	m, err := startMachine("m", t.TempDir())
	require.NoError(t, err)
	t.Cleanup(m.kill)
	require.NoError(t, m.call(t.Context(), "Boot", Disk{Hostname: "elsewhere", Binds: map[string]string{"/run/own": own}}, &struct{}{}))
	sh := func(script string) string {
		out, err := m.output(t.Context(), "/bin/sh", "-c", script)
		if err != nil {
			return "FAILED " + out
		}
		return strings.TrimSpace(out)
	}
	require.Equal(t, "elsewhere", sh("uname -n"))
	require.Equal(t, "1", sh("cat "+setting))
	require.Equal(t, "changed 7", sh("echo 7 > "+setting+"; echo changed $(cat "+setting+")"))
	after, err := os.ReadFile(setting)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the host's setting is the host's")
	for _, dir := range []string{"/", "/etc", "/usr", "/root"} {
		require.Contains(t, sh("touch "+dir+"/hotseat-was-here"), "Read-only file system", dir)
	}
	require.Empty(t, sh("echo x > /run/own/x"))
	require.FileExists(t, filepath.Join(own, "x"))
	require.Empty(t, sh("ls /var/log"), "the host's daemons are not seen")
	require.Equal(t, "1", sh("cat /proc/sys/net/ipv4/ip_forward"))
	require.Contains(t, sh("exit 3"), "FAILED")
	_, err = m.output(t.Context(), "/none")
	require.ErrorContains(t, err, "no such file or directory")

	// A program that runs, and orphans of it.
	require.NoError(t, m.start(t.Context(), Program{
		Name: "p", Log: "/run/own/log", Args: []string{"/bin/sh", "-c", "(sleep 300 &) ; echo here; sleep 300"},
	}))
	require.ErrorContains(t, m.start(t.Context(), Program{Name: "p", Log: "/run/own/log", Args: []string{"/bin/sh"}}), "p runs")
	require.Eventually(t, func() bool { return sh("cat /run/own/log") == "here" }, time.Minute, 10*time.Millisecond)
	require.NoError(t, m.signal(t.Context(), "p", 9))
	require.Eventually(t, func() bool { return m.signal(t.Context(), "p", 9) != nil }, time.Minute, 10*time.Millisecond)
	require.ErrorContains(t, m.signal(t.Context(), "none", 9), "none does not run")
	m.kill()
	require.ErrorContains(t, m.start(t.Context(), Program{}), "shut down")
}
