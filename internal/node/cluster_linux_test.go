package node

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test's cluster may take to build: from nothing, on a slow machine.
const patience = 40 * time.Minute

// newCluster is one that the test may break, and that leaves nothing.
func newCluster(t *testing.T, o Options) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.Progress = os.Stderr
	c, err := Up(ctx, o)
	needs(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
		dir, cgroup := c.dir, c.cgroup
		require.NoError(t, c.Close())
		require.NoError(t, c.Close(), "may be called twice")
		require.NoDirExists(t, dir)
		for _, root := range c.groups.roots {
			require.NoDirExists(t, root+"/"+cgroup)
		}
		require.NotContains(t, mounts(t), cgroup)
	})
	return c
}

// TestUp: a Pod runs on a node, whose files and processes are seen, and is there after a power
// loss.
func TestUp(t *testing.T) {
	settings := settingsNow(t)
	c := newCluster(t, Options{Images: []Image{{Name: "hotseat.test/sleep:1", Package: modulePath + "/pause"}}})
	require.Equal(t, settings, settingsNow(t), "what a kubelet sets is the node's")
	const pod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
		"containers": [{"name": "p", "image": "hotseat.test/sleep:1"}], "terminationGracePeriodSeconds": 1}}`
	kubectl := func(stdin string, args ...string) string {
		out, err := c.Kubectl(t.Context(), stdin, args...)
		require.NoError(t, err)
		return out
	}
	require.Contains(t, kubectl("", "get", "nodes"), c.Plane().Version)
	kubectl(pod, "apply", "-f", "-")
	kubectl("", "wait", "--for=condition=Ready", "pod/p", "--timeout=2m")
	id := kubectl("", "get", "pod", "p", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
	require.Len(t, c.Nodes[0].Processes(id[len("containerd://"):]), 1)
	kubectl("", "logs", "p") // the API server reaches the kubelet

	require.NoError(t, c.Nodes[0].PowerOff())
	require.NoError(t, c.Nodes[0].PowerOff(), "it has none")
	require.NoError(t, c.Nodes[0].Boot(t.Context()))
	require.Error(t, c.Nodes[0].Boot(t.Context()), "it has power")
	require.NoError(t, c.Nodes[0].Ready(t.Context()))
	again := func() bool {
		now := kubectl("", "get", "pod", "p", "-o", "jsonpath={.status.containerStatuses[0].state.running.startedAt} {.status.containerStatuses[0].containerID}")
		return len(now) > len(" containerd://") && now[0] != ' ' && now[len(now)-len(id):] != id
	}
	require.Eventually(t, again, 3*time.Minute, 200*time.Millisecond, "it was started anew")
	require.Equal(t, settings, settingsNow(t))
}

func settingsNow(t *testing.T) (all []string) {
	t.Helper()
	for _, name := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"} {
		text, err := os.ReadFile("/proc/sys/" + name)
		require.NoError(t, err)
		all = append(all, name+"="+string(text))
	}
	return all
}
