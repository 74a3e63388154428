package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hotseat-go/hotseat/internal/e2e/manifests"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
)

const (
	// settled is how long nothing is done to the replicas, so that the ledger has records to judge.
	settled = time.Second
	// noise is what a busy machine is forgiven. The table says when it was needed.
	noise = 4 * time.Second
	// endurance is for what has to come. The audit judges how long it took.
	endurance = 3 * time.Minute

	replicaImage = "hotseat.test/replica"
)

// timing of the replicas: short, so that a trial is.
func timing() lease.Timing {
	return lease.Timing{
		LeaseDuration: 5 * time.Second, RenewDeadline: 3500 * time.Millisecond, RetryPeriod: 700 * time.Millisecond,
	}.WithDefaults()
}

func replicaImages() (all []Image) {
	for _, tag := range []string{":1", ":2"} {
		all = append(all, Image{Name: replicaImage + tag, Package: modulePath + "/replica"})
	}
	return all
}

// lab is where one trial is: three replicas in Pods of a namespace, as examples/deploy has them.
type lab struct {
	*Cluster
	spec      trial.Spec
	t         *testing.T
	namespace string
	journal   *trial.Journal
	ledger    *trial.Ledger
	reports   net.PacketConn
	heard     sync.WaitGroup
}

// newLab opens one, with ports of its own.
func newLab(t *testing.T, c *Cluster, namespace string, port int, unguarded bool) *lab {
	t.Helper()
	l := &lab{
		Cluster: c, t: t, namespace: namespace, journal: trial.NewJournal(),
		spec: trial.Spec{Lease: "invoicer", Timing: timing(), Write: 20 * time.Millisecond},
	}
	listener, err := c.Listen(port)
	require.NoError(t, err)
	l.ledger, err = trial.ServeLedger(listener, unguarded)
	require.NoError(t, err)
	t.Cleanup(l.ledger.Close)
	l.reports, err = c.ListenUDP(port)
	require.NoError(t, err)
	l.heard.Go(l.listen)
	t.Cleanup(func() {
		_ = l.reports.Close()
		l.heard.Wait()
	})
	return l
}

// listen hears the replicas until the connection is closed.
func (l *lab) listen() {
	for buffer := make([]byte, 64<<10); ; {
		n, _, err := l.reports.ReadFrom(buffer)
		if err != nil {
			return
		}
		var e trial.Event
		if err := json.Unmarshal(buffer[:n], &e); err == nil {
			l.journal.Add(e)
		}
	}
}

func (l *lab) kubectl(stdin string, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), endurance)
	defer cancel()
	out, err := l.Kubectl(ctx, stdin, append([]string{"-n", l.namespace}, args...)...)
	require.NoError(l.t, err)
	return out
}

// deploy applies examples/deploy in a namespace of the lab's own.
func (l *lab) deploy() {
	l.t.Helper()
	l.kubectl("", "create", "namespace", l.namespace)
	l.apply()
}

// apply applies examples/deploy, with the replicas' image and what they are told, which may be more.
func (l *lab) apply(more ...any) {
	l.t.Helper()
	l.spec.Ledger = l.ledger.URL
	spec, err := json.Marshal(l.spec)
	require.NoError(l.t, err)
	var components []string
	if l.spec.Evidence {
		components = append(components, "evidence")
	}
	l.kubectl(shipped(l.t, components, func(container map[string]any) {
		container["image"] = replicaImage + ":1"
		container["env"] = append(append(container["env"].([]any),
			map[string]any{"name": "TRIAL", "value": string(spec)},
			map[string]any{"name": "REPORT", "value": l.reports.LocalAddr().String()}), more...)
		container["resources"] = map[string]any{"limits": map[string]any{"memory": "96Mi"}}
	}), "apply", "-f", "-")
	l.complete()
}

// shipped is examples/deploy with components of it, and with its container changed.
func shipped(t *testing.T, components []string, change func(container map[string]any)) string {
	t.Helper()
	built, err := manifests.Build("../../examples/deploy", components...)
	require.NoError(t, err)
	var objects []string
	deployments := 0
	for doc := range strings.SplitSeq(string(built), "\n---\n") {
		var object map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(doc), &object))
		if object["kind"] == "Deployment" {
			deployments++
			template := object["spec"].(map[string]any)["template"].(map[string]any)
			change(template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any))
		}
		encoded, err := yaml.Marshal(object)
		require.NoError(t, err)
		objects = append(objects, string(encoded))
	}
	require.Equal(t, 1, deployments)
	return strings.Join(objects, "---\n")
}

// complete waits until every replica is there and ready.
func (l *lab) complete() {
	l.t.Helper()
	l.kubectl("", "rollout", "status", "deployment/invoicer", "--timeout=2m50s")
}

func (l *lab) rest(d time.Duration) { time.Sleep(d) }

// add notes an event of the trial's own, now.
func (l *lab) add(what trial.Kind, pid int, text string) {
	l.journal.Add(trial.Event{Kind: what, PID: pid, Text: text})
}

// await returns the first event from index i on that matches.
func (l *lab) await(i int, what string, match func(trial.Event) bool) trial.Event {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), endurance)
	defer cancel()
	e, err := l.journal.Wait(ctx, i, what, match)
	require.NoError(l.t, err)
	return e
}

// active returns how the term that is on began; it waits for one.
func (l *lab) active() trial.Event {
	l.t.Helper()
	for {
		events, changed := l.journal.Since(0)
		var on []trial.Event
		for _, e := range events {
			switch e.Kind {
			case trial.Acquired:
				on = append(on, e)
			case trial.Ended, trial.Exited:
				on = slices.DeleteFunc(on, func(a trial.Event) bool { return a.PID == e.PID })
			}
		}
		if len(on) > 0 {
			return on[len(on)-1]
		}
		select {
		case <-changed:
		case <-time.After(endurance):
			require.Fail(l.t, "nobody is active")
		}
	}
}

// next waits for a term that begins after index i.
func (l *lab) next(i int) trial.Event {
	l.t.Helper()
	return l.await(i, "the next term", func(e trial.Event) bool { return e.Kind == trial.Acquired })
}

// alive are the replicas that have started and not ended, with their Pods.
func (l *lab) alive() map[int]string {
	pods := map[int]string{}
	events, _ := l.journal.Since(0)
	for _, e := range events {
		switch e.Kind {
		case trial.Started:
			pods[e.PID] = e.Replica
		case trial.Exited:
			delete(pods, e.PID)
		}
	}
	return pods
}

func (l *lab) pod(name string) *corev1.Pod {
	l.t.Helper()
	pod, err := l.Plane().Admin().CoreV1().Pods(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	require.NoError(l.t, err)
	return pod
}

// nodeOf is the node of a Pod.
func (l *lab) nodeOf(pod string) *Node {
	l.t.Helper()
	name := l.pod(pod).Spec.NodeName
	i := slices.IndexFunc(l.Nodes, func(n *Node) bool { return n.Name == name })
	require.GreaterOrEqual(l.t, i, 0, "no node %q", name)
	return l.Nodes[i]
}

// processOf is the process of a Pod's container, as it is seen from here.
func (l *lab) processOf(name string) int {
	l.t.Helper()
	status := l.pod(name).Status.ContainerStatuses
	require.Len(l.t, status, 1)
	_, id, is := strings.Cut(status[0].ContainerID, "://")
	require.True(l.t, is, "container id %q", status[0].ContainerID)
	pids := l.nodeOf(name).Processes(id)
	require.Len(l.t, pids, 1)
	return pids[0]
}

// on are the replicas that live on a node, with their Pods.
func (l *lab) on(n *Node) map[int]string {
	l.t.Helper()
	pods := l.alive()
	maps.DeleteFunc(pods, func(_ int, pod string) bool { return l.nodeOf(pod) != n })
	return pods
}

// judge tells all replicas to end, and puts the trial before the audit.
func (l *lab) judge() trial.Verdict {
	l.t.Helper()
	l.active()
	l.add(trial.Stopping, 0, "")
	l.kubectl("", "scale", "deployment/invoicer", "--replicas=0")
	for end := time.Now().Add(endurance); len(l.alive()) > 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	require.Empty(l.t, l.alive(), "these did not end")
	events, _ := l.journal.Since(0)
	tm := l.spec.Timing
	return trial.Audit(l.ledger.Entries(), events, trial.Limits{
		Back: tm.LeaseDuration + 500*time.Millisecond, Stop: tm.StopBudget(), Noise: noise,
	})
}

// scenario is one trial and what is done to its replicas.
type scenario struct {
	name string
	play func(*lab)

	spec      func(*trial.Spec) // changes the replicas
	unguarded bool              // the ledger admits everything
	control   string            // the violation that the audit must find
}

func (s scenario) run(t *testing.T, c *Cluster, place int, table *trial.Table) {
	word, v := "did not finish", trial.Verdict{}
	defer func() { table.Add(place, s.name, v, word) }()
	l := newLab(t, c, fmt.Sprintf("trial-%d", place), 8000+place, s.unguarded)
	if s.spec != nil {
		s.spec(&l.spec)
	}
	l.deploy()
	l.published()
	l.rest(settled)
	s.play(l)
	l.rest(settled)
	v = l.judge()
	word = ""
	if s.control != "" {
		require.Contains(t, strings.Join(v.Violations, "; "), s.control)
		word = "caught, as it must"
	} else {
		require.Empty(t, v.Violations)
	}
	l.kubectl("", "delete", "namespace", l.namespace, "--wait=false")
}
