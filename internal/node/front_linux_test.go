package node

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/internal/reach"
)

// front is a lab whose replicas serve requests behind a Service, which clients ask from every node.
type front struct {
	*lab
	way      way
	service  string // host:port
	prober   *reach.Prober
	endpoint *endpoints
	inside   map[string]*Inside // by node
}

// newFront opens one. Its replicas are there and the active is reached from every node.
func newFront(t *testing.T, c *Cluster, w way, place int) *front {
	t.Helper()
	f := &front{
		lab: newLab(t, c, fmt.Sprintf("front-%d", place), 8200+place, false), way: w,
		inside: map[string]*Inside{},
	}
	for _, n := range c.Nodes {
		inside, err := n.Inside()
		require.NoError(t, err)
		t.Cleanup(inside.Close)
		f.inside[n.Name] = inside
	}
	f.kubectl("", "create", "namespace", f.namespace)
	f.endpoint = watchEndpoints(t, c, f.namespace, "invoicer")
	f.deploy()
	f.service = f.clusterIP()
	var targets []reach.Target
	for name, inside := range f.inside {
		targets = append(targets, reach.Target{Name: name, Addr: f.service, Dial: inside.Dial})
	}
	f.prober = reach.Start(targets...)
	t.Cleanup(f.prober.Stop)
	return f
}

// deploy applies examples/deploy with the way's component, which brings the Service, or else with a
// Service that leads to all replicas.
func (f *front) deploy() {
	f.t.Helper()
	timing, err := json.Marshal(timing())
	require.NoError(f.t, err)
	told := map[string]string{
		"LEASE": "invoicer", "TIMING": string(timing), "REPORT": f.reports.LocalAddr().String(),
		"WAY": f.way.env, "AT_END": f.way.atEnd,
	}
	var components []string
	if f.way.component != "" {
		components = append(components, f.way.component)
	}
	objects := shipped(f.t, components, func(container map[string]any) {
		env := container["env"].([]any)
		for name, value := range told {
			env = append(env, map[string]any{"name": name, "value": value})
		}
		container["image"], container["env"] = replicaImage+":1", env
	})
	f.kubectl(objects, "apply", "-f", "-")
	if f.way.component == "" {
		f.kubectl(`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "invoicer"},
			"spec": {"selector": {"app": "invoicer"}, "ports": [{"port": 80, "targetPort": 8080}]}}`, "apply", "-f", "-")
	}
	f.complete()
}

func (f *front) clusterIP() string {
	f.t.Helper()
	service, err := f.Plane().Admin().CoreV1().Services(f.namespace).Get(f.t.Context(), "invoicer", metav1.GetOptions{})
	require.NoError(f.t, err)
	require.NotEqual(f.t, corev1.ClusterIPNone, service.Spec.ClusterIP)
	return net.JoinHostPort(service.Spec.ClusterIP, "80")
}

// settle waits until the active is reached from every node, and kube-proxy may write rules at once.
func (f *front) settle() {
	f.t.Helper()
	for name := range f.inside {
		require.Eventually(f.t, func() bool {
			return f.prober.Last(name).Epoch == f.active().Token.Epoch
		}, endurance, reach.Every, "the active is not reached from %s", name)
	}
	f.rest(2 * time.Second)
}

// event is something that ends the active's term.
type event struct {
	name string
	play func(*front)
	// blind: the active's node learns nothing, and clients there reach nobody meanwhile.
	blind bool
	// held: the active's connections stay open while it is frozen.
	held bool
}

func events() []event {
	return []event{
		{name: "handover", play: (*front).handOver},
		{name: "crash", play: func(f *front) { f.crash() }},
		{name: "freeze", play: func(f *front) { f.nodeFrozen() }, blind: true, held: true},
		{name: "partition", play: func(f *front) { f.partition() }, blind: true},
		{name: "rollout", play: (*front).rollOut},
		{name: "drain", play: func(f *front) { f.drain() }},
	}
}

// played are those of the way.
func (w way) played() []event {
	return slices.DeleteFunc(events(), func(e event) bool {
		return len(w.events) > 0 && !slices.Contains(w.events, e.name)
	})
}

// handOver has the active resign. All Pods live on.
func (f *front) handOver() {
	f.t.Helper()
	old, i := f.active(), f.journal.Len()
	f.tell(old.Replica, "/resign")
	f.next(i)
}

// onBothNodes moves a standby if all replicas are on one node: the base spreads them if there is room, and
// Pods that are about to end take room.
func (f *front) onBothNodes() {
	f.t.Helper()
	active := f.active()
	home := f.nodeOf(active.Replica)
	on := f.on(home)
	if len(on) < len(f.alive()) {
		return
	}
	delete(on, active.PID)
	f.kubectl("", "cordon", home.Name)
	i := f.journal.Len()
	for _, pod := range on {
		f.kubectl("", "delete", "pod", pod)
		break
	}
	f.await(i, "a replica on the other node", func(e trial.Event) bool { return e.Kind == trial.Started })
	f.complete()
	f.kubectl("", "uncordon", home.Name)
}

// rollOut replaces every Pod, and waits until the old ones are gone.
func (f *front) rollOut() {
	f.t.Helper()
	old := f.alive()
	f.kubectl("", "rollout", "restart", "deployment/invoicer")
	f.complete()
	for pid, pod := range old {
		f.await(0, pod+"'s end", func(e trial.Event) bool { return e.Kind == trial.Exited && e.PID == pid })
	}
	f.active()
}

// meet plays an event, and returns what came of it.
func (f *front) meet(e event) outcome {
	f.t.Helper()
	if e.held {
		f.onBothNodes()
	}
	f.settle()
	active := f.active()
	home := f.nodeOf(active.Replica).Name
	from := home
	for name := range f.inside {
		if name != home {
			from = name
		}
	}
	stream := openStream(f.t, f.inside[from], f.service)
	e.play(f)
	for name := range f.inside {
		require.Eventually(f.t, func() bool {
			now := f.active().Token.Epoch
			return now > active.Token.Epoch && f.prober.Last(name).Epoch == now
		},
			endurance, reach.Every, "the next active is not reached from %s", name)
	}
	ended := stream.wait(f.t)
	o := outcome{closed: ended.at.Sub(ended.last)}
	history, _ := f.journal.Since(0)
	for _, c := range reach.Changes(f.prober.Answers()) {
		if c.New.Epoch <= active.Token.Epoch || e.blind && c.New.Target == home {
			continue
		}
		o.changes = append(o.changes, judged(f.t, history, c))
	}
	require.NotEmpty(f.t, o.changes, "%s changed nothing", e.name)
	if !e.held {
		first := f.prober.First(from, active.Token.Epoch)
		require.Less(f.t, ended.last.Sub(first.Got), settled, "the old active's stream went on after the next one answered")
	}
	return o
}

// ends stops the clients, and says whether two answered at any time.
func (f *front) ends() (requests int, err error) {
	f.t.Helper()
	f.prober.Stop()
	answers := f.prober.Answers()
	f.kubectl("", "delete", "namespace", f.namespace, "--wait=false")
	return len(answers), reach.Audit(answers)
}

// outcome of an event.
type outcome struct {
	changes []change
	closed  time.Duration // from the last that came of the old active's stream to its end
}

// change is one of reach's beside what the replicas said.
type change struct {
	nobody   time.Duration // was reached
	handover time.Duration // from the end of one's work to the beginning of the next one's
}

// judged looks up when the terms of a change ended and began: by whatever shows it first.
func judged(t *testing.T, history []trial.Event, c reach.Change) change {
	t.Helper()
	pid := 0
	var ended, began int64
	for _, e := range history {
		switch {
		case e.Kind == trial.Acquired && e.Token.Epoch == c.Old.Epoch:
			pid = e.PID
		case e.Kind == trial.Acquired && e.Token.Epoch == c.New.Epoch:
			began = e.At
		case e.PID != pid || ended != 0 && e.At > ended:
		case e.Kind == trial.Ended && e.Token.Epoch == c.Old.Epoch, e.Kind == trial.Exited, e.Kind == trial.Frozen:
			ended = e.At
		}
	}
	require.Positive(t, ended, "epoch %d did not end", c.Old.Epoch)
	require.Positive(t, began, "epoch %d did not begin", c.New.Epoch)
	return change{nobody: c.Nobody(), handover: time.Duration(began - ended)}
}

// percentile is the least of them that p of 100 do not exceed.
func percentile(all []time.Duration, p int) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)*p+99)/100-1]
}
