package node

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/samples"
	"github.com/hotseat-go/hotseat/lease"
)

const deathsHead = `## Failover by proof of death

The active's process dies, and package evidence proves it to the others by its Pod's status. The lease
duration is %v. The time is from the end of the process, as the kernel shows it, to the begin of the next
term's work. Kubelets wait at most 1 s before they start a container anew. In a crash loop the Pod's next
container dies as soon as it is there, too. Beside it, at 15/10/2 s, hotseat without evidence and
client-go's elector. A process dies at any time between two renewals.

| elector     | death      | n  | p50     | p95     | max     |
|-------------|------------|----|---------|---------|---------|
`

// longTiming is that of replicas with evidence: a minute without an API server is nothing to them.
func longTiming() lease.Timing {
	return lease.Timing{
		LeaseDuration: time.Minute, RenewDeadline: 45 * time.Second, RetryPeriod: 4 * time.Second,
	}.WithDefaults()
}

// proven has replicas prove their deaths by their Pods.
func proven(s *trial.Spec) { s.Evidence = true }

func provenLong(s *trial.Spec) { s.Evidence, s.Timing = true, longTiming() }

// crashLoop is a SIGKILL, and another one for the Pod's next container.
const crashLoop = "crash loop"

// restartsSoon has a kubelet wait at most 1 s before it starts a container anew, instead of minutes.
const restartsSoon = "crashLoopBackOff:\n  maxContainerRestartPeriod: 1s\n"

func deathKinds() []string { return []string{killed, "panic", "exit", "oom", crashLoop} }

// TestDeaths measures how soon a replica is active again after the active's process died.
func TestDeaths(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort has some of them")
	}
	c := newCluster(t, Options{
		Nodes: 2, Images: replicaImages(),
		Kubelet: restartsSoon,
	})
	var table strings.Builder
	fmt.Fprintf(&table, deathsHead, longTiming().LeaseDuration)
	kept := samples.New("make node", "process died -> the next replica's work running",
		fmt.Sprintf("Kubernetes %s, containerd %s", c.Plane().Version, c.Containerd()))
	worst := time.Duration(0)
	t.Run("hotseat", func(t *testing.T) {
		worst = testDeaths(t, c, 8201, howMany(t, "HOTSEAT_NODE_DEATHS", 30), &table, &kept)
	})
	waited := func(name string, port int, peer bool) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c, fmt.Sprintf("deaths-%d", port), port, false)
			l.spec.Peer, l.spec.Timing = peer, lease.Timing{}.WithDefaults()
			l.deploy()
			all := l.deaths(killed, howMany(t, "HOTSEAT_NODE_DEATHS_WAITED", 10))
			kept.Add(name+", 15/10/2 s", all)
			best := row(&table, name, killed, all).best
			l.kubectl("", "delete", "namespace", l.namespace, "--wait=false")
			require.Less(t, worst, best, "with evidence at its slowest, without at its fastest")
		})
	}
	waited("no evidence", 8203, false)
	waited("client-go", 8202, true)
	report(t, "3-deaths", table.String())
	if !t.Failed() {
		require.NoError(t, kept.Keep("deaths"))
	}
}

// howMany of each kind there are: what the variable says, or else n.
func howMany(t *testing.T, variable string, n int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// testDeaths plays n deaths of each kind, has all judged, and returns the longest time until a replica
// was active again.
func testDeaths(
	t *testing.T, c *Cluster, port, n int, table *strings.Builder, kept *samples.Set,
) (worst time.Duration) {
	t.Helper()
	l := newLab(t, c, "deaths", port, false)
	provenLong(&l.spec)
	l.deploy()
	for _, kind := range deathKinds() {
		all := l.deaths(kind, n)
		kept.Add("hotseat, evidence, "+kind, all)
		worst = max(worst, row(table, "hotseat", kind, all).worst)
	}
	v := l.judge()
	require.Empty(t, v.Violations)
	require.Zero(t, v.Overlap)
	require.Less(t, worst, l.spec.Timing.LeaseDuration/2, "the lease duration was waited for, or nearly")
	l.kubectl("", "delete", "namespace", l.namespace, "--wait=false")
	return worst
}

// deaths ends the active n times, and returns how long nobody was active then.
func (l *lab) deaths(kind string, n int) (all []time.Duration) {
	l.t.Helper()
	how := kind
	if kind == crashLoop {
		how = killed
	}
	for range n {
		victim := l.published()
		l.rest(settled + rand.N(min(l.spec.Timing.RetryPeriod, 2*time.Second)))
		i := l.journal.Len()
		at := l.end(victim, how)
		next := l.next(i)
		require.NotEqual(l.t, victim.PID, next.PID)
		all = append(all, time.Duration(next.At-at))
		l.t.Logf("%s: active again after %v", kind, all[len(all)-1].Round(time.Millisecond))
		again := l.restarts(victim, i)
		if kind == crashLoop && again.PID != l.active().PID {
			i = l.journal.Len()
			l.endsAgain(again)
			l.restarts(victim, i)
		}
	}
	return all
}

// published waits until the active's Lease tells how to prove its death, if it does that at all.
func (l *lab) published() (active trial.Event) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		active = l.active()
		held, err := l.Plane().Admin().CoordinationV1().Leases(l.namespace).
			Get(l.t.Context(), l.spec.Lease, metav1.GetOptions{})
		require.NoError(l.t, err)
		told := strings.HasPrefix(held.Annotations[lease.AnnotationEvidence], active.Token.Term+" ")
		return told || !l.spec.Evidence
	}, endurance, 50*time.Millisecond)
	return active
}

// endsAgain kills the process of a container that has just started.
func (l *lab) endsAgain(victim trial.Event) {
	l.t.Helper()
	var pids []int
	require.Eventually(l.t, func() bool {
		status := l.pod(victim.Replica).Status.ContainerStatuses
		if len(status) != 1 || status[0].State.Running == nil {
			return false
		}
		_, id, _ := strings.Cut(status[0].ContainerID, "://")
		pids = l.nodeOf(victim.Replica).Processes(id)
		return len(pids) == 1
	}, endurance, 10*time.Millisecond)
	l.add(trial.Ending, victim.PID, "killed again")
	require.NoError(l.t, unix.Kill(pids[0], syscall.SIGKILL))
	require.Eventually(l.t, func() bool { return ended(pids[0]) }, endurance, time.Millisecond)
	l.add(trial.Exited, victim.PID, "killed again")
}

// spread is the shortest and the longest of what was measured.
type spread struct{ best, worst time.Duration }

// row adds a row to the table.
func row(table *strings.Builder, elector, kind string, all []time.Duration) spread {
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[min(len(all)-1, int(share*float64(len(all))))].Round(10 * time.Millisecond)
	}
	fmt.Fprintf(table, "| %-11s | %-10s | %-2d | %-7v | %-7v | %-7v |\n", elector, kind, len(all),
		at(.5), at(.95), at(1))
	return spread{all[0], all[len(all)-1]}
}
