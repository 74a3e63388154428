package node

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

// TestAll plays every scenario, and prints the table.
func TestAll(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort is the short run")
	}
	// Evictions after 5 minutes would be the whole test.
	c := newCluster(t, Options{Nodes: 2, Images: replicaImages()})
	var table trial.Table
	for place, s := range scenarios() {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) { s.run(t, c, place+2, &table) })
	}
	fmt.Fprintf(t.Output(), "Kubernetes %s, containerd %s, %s\n\n",
		c.Plane().Version, c.Containerd(), time.Now().UTC().Format(time.DateOnly))
	table.Print(t.Output())
}

func scenarios() []scenario {
	return []scenario{
		{"rollout", (*lab).rollout},
		{"rollout without surge", func(l *lab) {
			l.kubectl("", "patch", "deployment/invoicer", "-p",
				`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}`)
			l.rollout()
		}},
		{"Pod deleted", func(l *lab) { l.told("a deletion", "delete", "pod", "--wait=false") }},
		{"Pod evicted", (*lab).evict},
		{"node drained", (*lab).drain},
		{"scale 3 to 1 to 5", (*lab).scale},
		{"kill -9", (*lab).crash},
		{"out of memory", func(l *lab) { l.dies("oom") }},
		{"panic", func(l *lab) { l.dies("panic") }},
		{"crash loop", func(l *lab) {
			for range 4 {
				l.crash()
			}
		}},
		{"shim killed", (*lab).shimKilled},
		{"containerd killed and started", (*lab).containerdKilled},
		{"kubelet frozen, Pod deleted by force", (*lab).forcedDeletion},
		{"partition", (*lab).partition},
		{"node frozen", (*lab).nodeFrozen},
		{"power loss", (*lab).powerLoss},
		{"API server restarted", func(l *lab) { l.restarted("API server", l.Plane().API.Kill, l.Plane().StartAPI) }},
		{"etcd restarted", func(l *lab) { l.restarted("etcd", l.Plane().Etcd.Kill, l.Plane().StartEtcd) }},
	}
}

// told has the active's Pod be told to end, by a command of kubectl's, and waits for the next term.
func (l *lab) told(what string, command ...string) {
	l.t.Helper()
	victim, i := l.active(), l.journal.Len()
	l.add(trial.Fault, victim.PID, what)
	l.kubectl("", append(command, victim.Replica)...)
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.Kind == trial.Ended && e.PID == victim.PID
	})
	l.add(trial.Over, 0, "")
	l.next(i)
	l.complete()
}

// evict asks the Eviction API, as a drain does for each Pod.
func (l *lab) evict() {
	l.t.Helper()
	victim := l.active()
	eviction := fmt.Sprintf(`{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": %q, "namespace": %q}}`,
		victim.Replica, l.namespace)
	i := l.journal.Len()
	l.add(trial.Fault, victim.PID, "an eviction")
	l.kubectl(eviction, "create", "--raw",
		fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/eviction", l.namespace, victim.Replica), "-f", "-")
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.Kind == trial.Ended && e.PID == victim.PID
	})
	l.add(trial.Over, 0, "")
	l.next(i)
	l.complete()
}

// drain empties the active's node.
func (l *lab) drain() {
	l.t.Helper()
	n := l.nodeOf(l.active().Replica)
	i := l.journal.Len()
	l.add(trial.Fault, 0, "a drain of the active's node")
	l.kubectl("", "drain", n.Name, "--pod-selector=app=invoicer", "--timeout=2m", "--force")
	l.add(trial.Over, 0, "")
	l.next(i)
	l.kubectl("", "uncordon", n.Name)
	l.complete()
}

func (l *lab) scale() {
	l.t.Helper()
	for _, replicas := range []string{"1", "5", "3"} {
		l.add(trial.Fault, 0, "a change to "+replicas+" replicas")
		l.kubectl("", "scale", "deployment/invoicer", "--replicas="+replicas)
		l.complete()
		l.add(trial.Over, 0, "")
		l.active()
		l.rest(settled)
	}
}

// dies has the active end itself. When that was is what the kernel shows.
func (l *lab) dies(how string) {
	l.t.Helper()
	victim := l.active()
	pid, i := l.processOf(victim.Replica), l.journal.Len()
	l.add(trial.Fault, victim.PID, how)
	l.add(trial.Ending, victim.PID, how)
	l.tell(victim.Replica, "/crash?how="+how)
	require.Eventually(l.t, func() bool { return ended(pid) }, endurance, time.Millisecond)
	l.add(trial.Exited, victim.PID, how)
	l.add(trial.Over, 0, "")
	l.next(i)
	l.await(i, "the Pod's next container", func(e trial.Event) bool {
		return e.Kind == trial.Started && e.Replica == victim.Replica
	})
}

// tell asks a replica over HTTP. It may end before it has answered.
func (l *lab) tell(pod, path string) {
	l.t.Helper()
	request, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost,
		"http://"+l.pod(pod).Status.PodIP+":8080"+path, http.NoBody)
	require.NoError(l.t, err)
	client := http.Client{Transport: &http.Transport{DialContext: l.DialPod, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
}

// shimKilled takes away what holds the active's container: containerd ends the container.
func (l *lab) shimKilled() {
	l.t.Helper()
	victim := l.active()
	pid, i := l.processOf(victim.Replica), l.journal.Len()
	l.add(trial.Fault, victim.PID, "the shim of the active's Pod killed")
	l.add(trial.Ending, victim.PID, "its shim killed")
	require.NoError(l.t, unix.Kill(parentOf(l.t, pid), syscall.SIGKILL))
	require.Eventually(l.t, func() bool { return ended(pid) }, endurance, time.Millisecond)
	l.add(trial.Exited, victim.PID, "its shim killed")
	l.add(trial.Over, 0, "")
	l.next(i)
	l.complete()
}

func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	_, err = fmt.Sscanf(rest[2:], "%d", &parent)
	require.NoError(t, err)
	require.Greater(t, parent, 1)
	return parent
}

// containerdKilled is nothing to the replicas: containers outlive it.
func (l *lab) containerdKilled() {
	l.t.Helper()
	before := l.active()
	n := l.nodeOf(before.Replica)
	l.add(trial.Fault, 0, "containerd killed")
	require.NoError(l.t, n.Kill(l.t.Context(), Containerd))
	l.rest(timing().LeaseDuration)
	require.NoError(l.t, n.Start(l.t.Context(), Containerd))
	l.add(trial.Over, 0, "")
	require.NoError(l.t, n.Ready(l.t.Context()))
	require.Equal(l.t, before, l.active(), "it goes on")
}

// forcedDeletion takes the active's Pod from the API while its node's kubelet is frozen: the
// process works on, until its token is refused.
func (l *lab) forcedDeletion() {
	l.t.Helper()
	victim := l.active()
	n, i := l.nodeOf(victim.Replica), l.journal.Len()
	require.NoError(l.t, n.Stop(l.t.Context(), Kubelet))
	l.add(trial.Fault, victim.PID, "the active's Pod deleted by force")
	l.add(trial.Ending, victim.PID, "to be killed when the kubelet is back")
	l.kubectl("", "delete", "pod", victim.Replica, "--force", "--grace-period=0")
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.Kind == trial.Ended && e.PID == victim.PID
	})
	l.add(trial.Over, 0, "")
	l.next(i)
	require.NoError(l.t, n.Continue(l.t.Context(), Kubelet))
	l.complete()
}

// partition cuts the active's node off from the API server.
func (l *lab) partition() {
	l.t.Helper()
	victim := l.active()
	n, i := l.nodeOf(victim.Replica), l.journal.Len()
	l.add(trial.Fault, victim.PID, "a partition of the active's node")
	require.NoError(l.t, n.Partition())
	l.add(trial.Over, 0, "")
	l.next(i)
	require.NoError(l.t, n.Heal())
	require.NoError(l.t, n.Ready(l.t.Context()))
	l.complete()
}

// nodeFrozen stops the active's node, as the host of a virtual machine may, until another one is
// active.
func (l *lab) nodeFrozen() {
	l.t.Helper()
	victim := l.active()
	n := l.nodeOf(victim.Replica)
	frozen, i := l.on(n), l.journal.Len()
	require.Less(l.t, len(frozen), len(l.alive()), "all replicas are on %s", n.Name)
	l.add(trial.Fault, victim.PID, "the active's node frozen")
	require.NoError(l.t, n.Freeze())
	for _, pid := range frozen {
		l.add(trial.Frozen, pid, "")
	}
	l.add(trial.Over, 0, "")
	l.next(i)
	for _, pid := range frozen {
		l.add(trial.Thawed, pid, "")
	}
	require.NoError(l.t, n.Thaw())
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.PID == victim.PID && (e.Kind == trial.Ended || e.Kind == trial.Exited)
	})
	require.NoError(l.t, n.Ready(l.t.Context()))
	l.complete()
}

// restarted kills a part of the control plane, and starts it again after less than a lease
// duration.
func (l *lab) restarted(part string, kill func(), start func(context.Context) error) {
	l.t.Helper()
	l.active()
	l.add(trial.Fault, 0, part+" restarted")
	kill()
	l.rest(timing().RetryPeriod)
	require.NoError(l.t, start(l.t.Context()))
	l.add(trial.Over, 0, "")
	l.complete()
	l.active()
}
