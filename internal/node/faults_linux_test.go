package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/samples"
)

// TestShort is make test's share: what every deployment meets.
func TestShort(t *testing.T) {
	worker := Image{Name: workerImage, Package: "github.com/hotseat-go/hotseat/examples/worker"}
	c := newCluster(t, Options{Nodes: 2, Images: append(replicaImages(), worker), Kubelet: restartsSoon})
	t.Run("worker", func(t *testing.T) {
		testWorker(t, func(stdin string, args ...string) (string, error) {
			return c.Kubectl(t.Context(), stdin, args...)
		})
	})
	var table trial.Table
	t.Run("trial", func(t *testing.T) {
		scenario{name: "rollout, crash, power loss", play: func(l *lab) {
			l.rollout()
			l.rest(settled)
			l.crash()
			l.complete()
			l.powerLoss()
		}}.run(t, c, 1, &table)
	})
	table.Print(t.Output())
	t.Run("deaths", func(t *testing.T) {
		var deaths strings.Builder
		testDeaths(t, c, 8200, 2, &deaths, &samples.Set{})
		fmt.Fprintln(t.Output(), deaths.String())
	})
}

// rollout replaces every Pod, as kubectl set image does.
func (l *lab) rollout() {
	l.t.Helper()
	l.add(trial.Fault, 0, "a rollout")
	l.kubectl("", "set", "image", "deployment/invoicer", "invoicer="+replicaImage+":2")
	l.complete()
	l.add(trial.Over, 0, "")
	l.active()
}

// killed is how the active dies without knowing.
const killed = "SIGKILL"

// crash kills the active's process, which the kubelet starts anew in the same Pod.
func (l *lab) crash() { l.t.Helper(); l.dies(killed) }

// powerLoss takes the power of the active's node. It comes back when another one is active.
func (l *lab) powerLoss() {
	l.t.Helper()
	victim := l.active()
	n := l.nodeOf(victim.Replica)
	gone := l.on(n)
	require.Less(l.t, len(gone), len(l.alive()), "all replicas are on %s: nobody could take over", n.Name)
	i := l.journal.Len()
	l.add(trial.Fault, victim.PID, "power loss of the active's node")
	for pid := range gone {
		l.add(trial.Ending, pid, "power loss")
	}
	require.NoError(l.t, n.PowerOff())
	for pid := range gone {
		l.add(trial.Exited, pid, "power loss")
	}
	l.add(trial.Over, 0, "")
	l.next(i)
	require.NoError(l.t, n.Boot(l.t.Context()))
	require.NoError(l.t, n.Ready(l.t.Context()))
	for _, name := range gone {
		l.await(i, name+" again", func(e trial.Event) bool {
			return e.Kind == trial.Started && e.Replica == name
		})
	}
	l.complete()
}
