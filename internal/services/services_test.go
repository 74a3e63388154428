//go:build unix

package services

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProcessEndsWithAllItStarted: also with those that left its group.
func TestProcessEndsWithAllItStarted(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid")
	}
	dir := t.TempDir()
	p, err := launch("sh", filepath.Join(dir, "log"), dir, nil, []string{"sh", "-c", "setsid sleep 1000 & echo $! > child; wait"})
	require.NoError(t, err)
	t.Cleanup(p.kill)
	var child int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "child"))
		if err != nil || len(text) == 0 {
			return false
		}
		child, err = strconv.Atoi(string(text[:len(text)-1]))
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(child, 0), "the child runs")
	require.NoError(t, p.signal(syscall.SIGSTOP))
	require.NoError(t, p.signal(syscall.SIGCONT))
	p.kill()
	require.Error(t, p.signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return ended(child) }, time.Minute, 10*time.Millisecond)
}

func TestMissingServer(t *testing.T) {
	if os.Getuid() == 0 || os.Getenv("CI") != "" {
		t.Skip("root and CI install what is missing")
	}
	_, err := install(t.Context(), kind{name: "nosuch", pkg: "nosuch", find: binary("no-such-server")})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, "apt-get install nosuch")
}

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("enough"))
	defer cancel()
	_, err = lock(ctx, path)
	require.ErrorContains(t, err, "enough")
	unlock()
	unlock, err = lock(t.Context(), path)
	require.NoError(t, err)
	unlock()
}

var zombie = regexp.MustCompile(`(?m)^State:\s*[ZX]`)

// ended: gone, or waiting for somebody to collect it.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && zombie.Match(text)
}
