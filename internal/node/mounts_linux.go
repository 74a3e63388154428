package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ownRoot is where a machine has the folders of its cluster.
const ownRoot = "/run/hotseat"

// mountAll makes the mount namespace of this process a machine's.
func mountAll(binds map[string]string) error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	host, err := hostMounts()
	if err != nil {
		return err
	}
	sources := map[string]*os.File{} // opened while nothing hides them
	for target, source := range binds {
		f, err := openPath(source)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // opened as a path only
		sources[target] = f
	}
	for _, dir := range []string{"/run", "/tmp", "/var/lib", "/var/log"} {
		if err := mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	for target, source := range sources {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := mount(through(source), target, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for _, f := range host {
		if err := readOnly(f); err != nil {
			return err
		}
		_ = f.Close()
	}
	if err := mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	// The kubelet and containerd pass mounts on to containers.
	return mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// hostMounts opens the place of each mount, but for those of the kernel, which is shared anyway.
func hostMounts() (places []*os.File, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || isKernels(fields[4]) {
			continue
		}
		f, err := openPath(strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(fields[4]))
		if err != nil {
			continue // hidden by another mount, or nothing that a process here could open
		}
		places = append(places, f)
	}
	return places, nil
}

func isKernels(path string) bool {
	for _, root := range []string{"/proc", "/sys", "/dev"} {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

func readOnly(f *os.File) error {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return err
	}
	keep := uintptr(s.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME |
		unix.MS_NODIRATIME | unix.MS_RELATIME)
	return mount("", through(f), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|keep, "")
}

func openPath(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_CLOEXEC, 0)
}

// through is a path to what f was opened for, whatever is mounted over that since.
func through(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s %q on %s: %w", kind, source, target, err)
	}
	return nil
}

// fakeSettings puts files in the place of the settings that a kubelet demands and would write for
// the whole machine. They say what it wants, so that it writes none.
func fakeSettings() error {
	for name, value := range map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0",
		"kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
	} {
		setting := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(setting); err != nil {
			continue // this kernel has none
		}
		fake := filepath.Join(ownRoot, "settings", name)
		if err := os.MkdirAll(filepath.Dir(fake), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(fake, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := mount(fake, setting, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}
