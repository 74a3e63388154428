package node

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

const trialsHead = `# Results of real nodes

Written by ` + "`make node`" + ` on %s: Kubernetes %s, containerd %s, runc %s, two nodes; three
replicas of examples/deploy with a lease duration of %v, in a trial for each row. "Back within" is
from the fault's end until a replica is active; a crash is over as soon as it has happened.

With evidence, the Lease tells how to prove the holder's death before anything is done to it. Of these
faults the death of a process alone is proven.

Two rows are there to be caught. Where replicas overstay on purpose the audit has to find that two were
at work; the guard refuses what the first of them wrote. Where the ledger has no guard the audit has to
find the write that a frozen process still sent when it thawed.

`

// TestAll plays every scenario, and prints the table.
func TestAll(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort is the short run")
	}
	c := newCluster(t, Options{
		Nodes: 2, Images: replicaImages(),
		// Sooner than after 50 s a node is known not to be ready.
		Kubelet:           "nodeLeaseDurationSeconds: 8\nnodeStatusUpdateFrequency: 2s\n",
		ControllerManager: []string{"--node-monitor-grace-period=10s", "--node-monitor-period=1s"},
	})
	var table trial.Table
	for place, s := range scenarios() {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) { s.run(t, c, place+2, &table) })
	}
	var results strings.Builder
	fmt.Fprintf(&results, trialsHead, time.Now().UTC().Format(time.DateOnly), c.Plane().Version,
		c.Containerd(), c.Runc(), timing().LeaseDuration)
	table.Print(&results)
	report(t, "1-trials", results.String())
}

func scenarios() []scenario {
	return []scenario{
		{name: "rollout", play: (*lab).rollout},
		{name: "rollout without surge", play: func(l *lab) {
			l.kubectl("", "patch", "deployment/invoicer", "-p",
				`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}`)
			l.rollout()
		}},
		{name: "Pod deleted", play: func(l *lab) { l.told("a deletion", "delete", "pod", "--wait=false") }},
		{name: "Pod evicted", play: (*lab).evict},
		{name: "node drained", play: (*lab).drain},
		{name: "scale 3 to 1 to 5", play: (*lab).scale},
		{name: "kill -9", play: (*lab).crash},
		{name: "out of memory", play: func(l *lab) { l.dies("oom") }},
		{name: "panic", play: func(l *lab) { l.dies("panic") }},
		{name: "crash loop", play: func(l *lab) {
			for range 4 {
				l.crash()
			}
		}},
		{name: "shim killed", play: (*lab).shimKilled},
		{name: "containerd killed and started", play: (*lab).containerdKilled},
		{name: "kubelet frozen, Pod deleted by force", play: (*lab).forcedDeletion},
		{name: "partition", play: (*lab).partition},
		{name: "node frozen", play: (*lab).nodeFrozen},
		{name: "power loss", play: (*lab).powerLoss},
		{name: "kubelet frozen, Pod evicted by taint", play: (*lab).kubeletFrozen},
		{name: "containers forgotten by containerd", play: (*lab).containersLost},
		{
			name: "partition of one that overstays", play: (*lab).partition, control: "worked under token",
			spec: func(s *trial.Spec) { s.Overstay = 2 * timing().LeaseDuration },
		},
		{
			name: "node frozen, no guard", play: (*lab).nodeFrozen, unguarded: true,
			control: "accepted after token",
		},
		{name: "kill -9, with evidence", play: (*lab).crash, spec: proven},
		{name: "crash loop, with evidence", spec: proven, play: func(l *lab) {
			for range 4 {
				l.crash()
			}
		}},
		{name: "shim killed, with evidence", play: (*lab).shimKilled, spec: proven},
		{name: "containerd killed, with evidence", play: (*lab).containerdKilled, spec: proven},
		{name: "Pod deleted by force, with evidence", play: (*lab).forcedDeletion, spec: proven},
		{name: "partition, with evidence", play: (*lab).partition, spec: proven},
		{name: "node frozen, with evidence", play: (*lab).nodeFrozen, spec: proven},
		{name: "power loss, with evidence", play: (*lab).powerLoss, spec: proven},
		{name: "kubelet frozen, with evidence", play: (*lab).kubeletFrozen, spec: proven},
		{name: "containers forgotten, with evidence", play: (*lab).containersLost, spec: proven},
		{name: "API server restarted", play: func(l *lab) {
			l.restarted("API server", l.Plane().API.Kill, l.Plane().StartAPI)
		}},
		{name: "etcd restarted", play: func(l *lab) {
			l.restarted("etcd", l.Plane().Etcd.Kill, l.Plane().StartEtcd)
		}},
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

// dies ends the active's process, which the kubelet starts anew in the same Pod.
func (l *lab) dies(how string) {
	l.t.Helper()
	victim, i := l.published(), l.journal.Len()
	l.end(victim, how)
	l.next(i)
	l.restarts(victim, i)
}

// end has the active end itself, or kills it, and returns when that was: what the kernel shows.
func (l *lab) end(victim trial.Event, how string) (at int64) {
	l.t.Helper()
	pid := l.processOf(victim.Replica)
	l.add(trial.Fault, victim.PID, how)
	l.add(trial.Ending, victim.PID, how)
	if how == killed {
		require.NoError(l.t, unix.Kill(pid, syscall.SIGKILL))
	} else {
		l.tell(victim.Replica, "/crash?how="+how)
	}
	require.Eventually(l.t, func() bool { return ended(pid) }, endurance, time.Millisecond)
	at = trial.Now()
	l.add(trial.Exited, victim.PID, how)
	l.add(trial.Over, 0, "")
	return at
}

// restarts waits for the next container of the victim's Pod.
func (l *lab) restarts(victim trial.Event, i int) trial.Event {
	l.t.Helper()
	return l.await(i, "the Pod's next container", func(e trial.Event) bool {
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
