package evidence

import (
	"encoding/base64"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hostOf is a container's view, with these files.
func hostOf(files map[string]string) host {
	return host{read: func(path string) ([]byte, error) {
		text, is := files[path]
		if !is {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	}}
}

// statOf is /proc/1/stat of a process that started that many ticks after the machine.
func statOf(name, ticks string) string {
	return "1 (" + name + ") S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 " + ticks + " 123456 789 18446744073709551615"
}

func TestStart(t *testing.T) {
	for name, program := range map[string]string{
		"plain": "invoicer", "with spaces": "in voi cer", "with parentheses": "a) S 1 (b",
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(map[string]string{
				"/proc/uptime": "1000.50 3000.00\n", "/proc/1/stat": statOf(program, "90050"),
			})
			at, err := h.started()
			require.NoError(t, err)
			require.WithinDuration(t, time.Now().Add(-100*time.Second), at, 30*time.Second)
		})
	}
	for name, files := range map[string]map[string]string{
		"no /proc":       {},
		"no process 1":   {"/proc/uptime": "1000.50 3000.00\n"},
		"no uptime":      {"/proc/uptime": "soon", "/proc/1/stat": statOf("a", "1")},
		"cut short":      {"/proc/uptime": "1.5 3\n", "/proc/1/stat": "1 (a) S 0 1"},
		"no start":       {"/proc/uptime": "1.5 3\n", "/proc/1/stat": statOf("a", "-")},
		"an early start": {"/proc/uptime": "1.5 3\n", "/proc/1/stat": statOf("a", "-5")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hostOf(files).started()
			require.Error(t, err)
		})
	}
}

// The real /proc has the time at which process 1 started, which is before this one did.
func TestStartOfThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is /proc on Linux only")
	}
	at, err := thisHost().started()
	require.NoError(t, err)
	again, err := thisHost().started()
	require.NoError(t, err)
	require.WithinDuration(t, at, again, 5*time.Second)
	require.True(t, at.Before(time.Now()))
	require.True(t, at.After(time.Now().Add(-20*365*24*time.Hour)))
}

// Lines of a container made by a kubelet and containerd, and one whose source only looks alike.
const mountinfo = `1216 1200 0:121 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/a
1230 1216 8:1 /var/lib/kubelet/pods/0b8e0a7c-7f2b-4c1e-9a63-0d3fd4f6a0a2/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw
1231 1216 8:1 /var/lib/kubelet/pods/0b8e0a7c-7f2b-4c1e-9a63-0d3fd4f6a0a2/containers/invoicer/ab12cd34/x /x rw - ext4 /dev/sda1 rw
1232 1216 8:1 /var/lib/kubelet/pods/0b8e0a7c-7f2b-4c1e-9a63-0d3fd4f6a0a2/containers/invoicer/ab12cd34 /dev/termination-log rw - ext4 /dev/sda1 rw

short
`

func TestContainerByItsMounts(t *testing.T) {
	uid, name := hostOf(map[string]string{"/proc/self/mountinfo": mountinfo}).container()
	require.Equal(t, "0b8e0a7c-7f2b-4c1e-9a63-0d3fd4f6a0a2", uid)
	require.Equal(t, "invoicer", name)
	for _, files := range []map[string]string{{}, {"/proc/self/mountinfo": "1 2 0:1 / / rw - overlay overlay rw\n"}} {
		uid, name = hostOf(files).container()
		require.Empty(t, uid+name)
	}
}

func tokenOf(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

const claims = `{"kubernetes.io": {"namespace": "shop", "pod": {"name": "invoicer-0", "uid": "uid-0"}}}`

func TestPodByItsToken(t *testing.T) {
	namespace, pod, uid := hostOf(map[string]string{tokenFile: tokenOf(claims) + "\n"}).bound()
	require.Equal(t, []string{"shop", "invoicer-0", "uid-0"}, []string{namespace, pod, uid})
	for name, text := range map[string]string{
		"none": "", "opaque": "abc", "no base64": "e30.%%%.c2ln", "no JSON": tokenOf("no"), "not bound": tokenOf(`{"sub": "a"}`),
	} {
		t.Run(name, func(t *testing.T) {
			namespace, pod, uid := hostOf(map[string]string{tokenFile: text}).bound()
			require.Empty(t, namespace+pod+uid)
		})
	}
	_, pod, _ = hostOf(nil).bound()
	require.Empty(t, pod)
}
