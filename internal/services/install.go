//go:build unix

package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ErrMissing: the server is not installed, and may not be by this process.
var ErrMissing = errors.New("services: not installed")

// apt installs its arguments and lets no package start its daemon.
const apt = `set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' > $policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
`

// install returns the binary of k. Of several processes that miss it one
// installs and the others wait.
func install(ctx context.Context, k kind) (string, error) {
	if bin, ok := k.find(); ok {
		return bin, nil
	}
	args := []string{"sh", "-c", apt, "sh", k.pkg}
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "" {
			return "", fmt.Errorf("%w: %s; apt-get install %s, or run the tests as root", ErrMissing, k.name, k.pkg)
		}
		args = append([]string{"sudo", "-n"}, args...)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("%w: %s; and it can be installed by apt-get only: %w", ErrMissing, k.name, err)
	}
	unlock, err := lock(ctx, filepath.Join(os.TempDir(), "hotseat-services.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if bin, ok := k.find(); ok {
		return bin, nil
	}
	// Not to be ended halfway by ctx: that would leave packages half configured.
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("services: installing %s: %w:\n%s", k.pkg, err, out)
	}
	bin, ok := k.find()
	if !ok {
		return "", fmt.Errorf("services: the package %s is installed, but brought no server", k.pkg)
	}
	return bin, nil
}

// lock waits for the file's lock, which the kernel drops with its owner.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("services: another process is installing: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// binary finds a program on PATH, or where Debian keeps what only root uses.
func binary(names ...string) func() (string, bool) {
	return func() (string, bool) {
		for _, name := range names {
			for _, path := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name} {
				if found, err := exec.LookPath(path); err == nil {
					return found, true
				}
			}
		}
		return "", false
	}
}
