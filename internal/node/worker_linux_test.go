package node

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/controlplane"
)

// envImage names an image of examples/worker that the cluster of $KUBECONFIG has or can pull.
const envImage = "HOTSEAT_WORKER_IMAGE"

const workerImage = "hotseat.test/worker:1"

// TestOwnCluster is the worker's run on a contributor's own cluster.
func TestOwnCluster(t *testing.T) {
	if os.Getenv("KUBECONFIG") == "" || os.Getenv(envImage) == "" {
		t.Skip("needs $KUBECONFIG and " + envImage)
	}
	b, err := controlplane.Build(t.Context(), controlplane.Newest, os.Stderr)
	require.NoError(t, err)
	testWorker(t, func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), b.Kube, append([]string{"kubectl"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	})
}

// testWorker applies what examples/deploy ships, with examples/worker in it, and changes it. Its log
// lines, which have the token, tell who worked when: to the machine's clock, and each second.
func testWorker(t *testing.T, run func(stdin string, args ...string) (string, error)) {
	image, namespace := os.Getenv(envImage), "hotseat-worker-"+strconv.Itoa(os.Getpid())
	if image == "" {
		image = workerImage
	}
	kubectl := func(stdin string, args ...string) string {
		t.Helper()
		out, err := run(stdin, append([]string{"-n", namespace}, args...)...)
		require.NoError(t, err, "%s", out)
		return out
	}
	kubectl("", "create", "namespace", namespace)
	t.Cleanup(func() { _, _ = run("", "delete", "namespace", namespace, "--wait=false") })
	kubectl(shipped(t, nil, func(container map[string]any) { container["image"] = image }), "apply", "-f", "-")
	complete := func() { kubectl("", "rollout", "status", "deployment/invoicer", "--timeout=2m") }
	complete()

	var all []worked
	look := func() []worked {
		lines := kubectl("", "logs", "-l", "app=invoicer", "--prefix", "--timestamps", "--tail=-1")
		all = append(all, workLines(t, lines)...)
		return all
	}
	require.Eventually(t, func() bool { return len(look()) > 0 }, time.Minute, time.Second, "nobody works")
	before := latest(all)
	kubectl("", "delete", "pod", before.pod)
	complete()
	require.Eventually(t, func() bool { return latest(look()).epoch > before.epoch }, time.Minute, time.Second,
		"nobody works after the active's Pod was deleted")
	require.NotEqual(t, before.pod, latest(all).pod)

	slices.SortStableFunc(all, func(x, y worked) int { return x.at.Compare(y.at) })
	for i := 1; i < len(all); i++ {
		require.GreaterOrEqual(t, all[i].epoch, all[i-1].epoch, "%+v after %+v", all[i], all[i-1])
		if all[i].epoch == all[i-1].epoch {
			require.Equal(t, all[i-1].pod, all[i].pod, "one token, two Pods")
		}
	}
}

// worked is a line that examples/worker writes each second of its work.
type worked struct {
	pod   string
	at    time.Time
	epoch int64
}

func workLines(t *testing.T, text string) (all []worked) {
	t.Helper()
	line := regexp.MustCompile(`^\[pod/([^/]+)/\S+\] (\S+) .*working; token (\S+),`)
	for l := range strings.Lines(text) {
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[2])
		require.NoError(t, err)
		token, err := fencing.ParseToken(m[3])
		require.NoError(t, err)
		all = append(all, worked{m[1], at, token.Epoch})
	}
	return all
}

func latest(all []worked) worked {
	return slices.MaxFunc(all, func(x, y worked) int { return x.at.Compare(y.at) })
}
