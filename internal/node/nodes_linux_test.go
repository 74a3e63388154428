package node

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

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
	for pid := range frozen {
		l.add(trial.Frozen, pid, "")
	}
	l.add(trial.Over, 0, "")
	l.next(i)
	for pid := range frozen {
		l.add(trial.Thawed, pid, "")
	}
	require.NoError(l.t, n.Thaw())
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.PID == victim.PID && (e.Kind == trial.Ended || e.Kind == trial.Exited)
	})
	require.NoError(l.t, n.Ready(l.t.Context()))
	l.complete()
}

// kubeletFrozen: the node is not ready, the Pod is to go, and nobody is there to end it. The active works
// on until the kubelet is back.
func (l *lab) kubeletFrozen() {
	l.t.Helper()
	l.kubectl("", "patch", "deployment/invoicer", "-p", `{"spec": {"template": {"spec": {"tolerations": [
		{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2},
		{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}
	]}}}}`)
	l.complete()
	victim := l.active()
	n, i := l.nodeOf(victim.Replica), l.journal.Len()
	l.add(trial.Fault, victim.PID, "the kubelet of the active's node frozen")
	require.NoError(l.t, n.Stop(l.t.Context(), Kubelet))
	require.Eventually(l.t, func() bool {
		return l.pod(victim.Replica).DeletionTimestamp != nil
	}, endurance, 100*time.Millisecond)
	l.rest(settled)
	require.Equal(l.t, victim, l.active(), "it works on")
	require.NoError(l.t, n.Continue(l.t.Context(), Kubelet))
	l.await(i, "the end of its work", func(e trial.Event) bool {
		return e.Kind == trial.Ended && e.PID == victim.PID
	})
	l.add(trial.Over, 0, "")
	l.next(i)
	require.NoError(l.t, n.Ready(l.t.Context()))
	l.complete()
}

// containersLost: the kubelet starts the Pod's container anew beside the one that is active.
func (l *lab) containersLost() {
	l.t.Helper()
	victim := l.active()
	n, i := l.nodeOf(victim.Replica), l.journal.Len()
	l.add(trial.Fault, 0, "the active's container forgotten")
	require.NoError(l.t, n.LoseContainers(l.t.Context()))
	l.await(i, "another container in the active's Pod", func(e trial.Event) bool {
		return e.Kind == trial.Started && e.Replica == victim.Replica && e.PID != victim.PID
	})
	l.rest(settled)
	require.Equal(l.t, victim, l.active(), "it works on")
	l.add(trial.Over, 0, "")
	l.complete()
	l.powerLoss() // ends those that nobody knows any more
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
