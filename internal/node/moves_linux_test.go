package node

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton/rollout"
)

// rollouts is a lab whose replicas follow their Pods, or do not.
type rollouts struct{ *lab }

// newRollouts deploys three, with the rights that the guide names.
func newRollouts(t *testing.T, c *Cluster, namespace string, port int, follower bool) *rollouts {
	t.Helper()
	l := &rollouts{newLab(t, c, namespace, port, false)}
	l.spec.Timing, l.spec.Write = lease.Timing{}.WithDefaults(), 50*time.Millisecond
	if !follower {
		l.deploy()
		return l
	}
	config, err := json.Marshal(rollout.Config{
		Terminating: true, Revision: true, HandOver: true, Node: true, DeletionCost: true,
	})
	require.NoError(t, err)
	l.kubectl("", "create", "namespace", namespace)
	account := "--serviceaccount=" + namespace + ":invoicer"
	for name, rule := range map[string][]string{
		"rollout-pods":        {"--verb=get,watch,patch", "--resource=pods"},
		"rollout-sets":        {"--verb=get", "--resource=replicasets.apps"},
		"rollout-deployments": {"--verb=watch", "--resource=deployments.apps", "--resource-name=invoicer"},
	} {
		l.kubectl("", append([]string{"create", "role", name}, rule...)...)
		l.kubectl("", "create", "rolebinding", name, "--role="+name, account)
	}
	l.kubectl("", "create", "clusterrole", namespace, "--verb=watch", "--resource=nodes")
	l.kubectl("", "create", "clusterrolebinding", namespace, "--clusterrole="+namespace, account)
	l.apply(map[string]any{"name": "ROLLOUT", "value": string(config)})
	return l
}

// move is what came of leadership in one play.
type move struct {
	moves  int
	nobody time.Duration
	wished bool
}

// playAll plays n times, and says what came of each.
func (l *rollouts) playAll(p play, n int) (all []move) {
	l.t.Helper()
	if p.once != nil {
		p.once(l)
	}
	for range n {
		if p.before != nil {
			p.before(l)
		}
		l.active()
		l.rest(settled)
		from := trial.Now()
		l.add(trial.Fault, 0, p.name)
		p.play(l)
		l.add(trial.Over, 0, "")
		l.active()
		l.rest(settled)
		events, _ := l.journal.Since(0)
		m := moved(events, from, trial.Now())
		m.wished = p.wished(l, m.moves)
		l.t.Logf("%s: %d moves, nobody active for %v, as wished: %v", p.name, m.moves,
			m.nobody.Round(time.Millisecond), m.wished)
		all = append(all, m)
	}
	return all
}

// moved counts the terms that began between two instants, and adds up for how long nobody was active
// before each.
func moved(events []trial.Event, from, to int64) (m move) {
	terms := termsOf(events)
	for i, s := range terms {
		if from < s.first && s.first < to && i > 0 {
			m.moves++
			m.nobody += max(0, s.after(terms[i-1]))
		}
	}
	return m
}

// termsOf are the terms in the order in which they began, each from its work's begin to its end.
func termsOf(events []trial.Event) (terms []stretch) {
	events = slices.SortedStableFunc(slices.Values(events), func(x, y trial.Event) int { return cmp.Compare(x.At, y.At) })
	for _, e := range events {
		switch e.Kind {
		case trial.Acquired:
			terms = append(terms, stretch{e.Replica, e.PID, e.Token, e.At, math.MaxInt64})
		case trial.Ended, trial.Exited:
			for i := range terms {
				if s := &terms[i]; s.pid == e.PID && s.last == math.MaxInt64 {
					s.last = e.At
				}
			}
		}
	}
	return terms
}

// TestMoved: two moves in the window, one before it and one after.
func TestMoved(t *testing.T) {
	events := []trial.Event{
		{At: 10, Kind: trial.Acquired, PID: 1},
		{At: 25, Kind: trial.Acquired, PID: 2}, {At: 20, Kind: trial.Ended, PID: 1}, // late to arrive
		{At: 100, Kind: trial.Exited, PID: 2}, {At: 107, Kind: trial.Acquired, PID: 3},
		{At: 110, Kind: trial.Exited, PID: 1},
		{At: 120, Kind: trial.Ended, PID: 3}, {At: 123, Kind: trial.Acquired, PID: 4},
		{At: 200, Kind: trial.Ended, PID: 4}, {At: 250, Kind: trial.Acquired, PID: 3},
	}
	require.Equal(t, move{moves: 2, nobody: 10}, moved(events, 50, 150))
	require.Equal(t, move{}, moved(events, 130, 190))
}

// ends ends all replicas, and has the whole judged.
func (l *rollouts) ends() {
	l.t.Helper()
	l.uncordon()
	v := l.judge()
	require.Empty(l.t, v.Violations)
	require.Zero(l.t, v.Overlap)
	l.kubectl("", "delete", "namespace", l.namespace, "--wait=false")
}

func (l *rollouts) withoutSurge() { l.t.Helper(); l.lab.withoutSurge(); l.complete() }

// rollsOut replaces every Pod.
func (l *rollouts) rollsOut() {
	l.t.Helper()
	old := l.alive()
	require.Len(l.t, old, 3)
	l.kubectl("", "rollout", "restart", "deployment/invoicer")
	l.complete()
	l.gone(old)
}

// shrinks leaves one replica.
func (l *rollouts) shrinks() {
	l.t.Helper()
	l.kubectl("", "scale", "deployment/invoicer", "--replicas=1")
	l.number(1)
}

// number waits until so many replicas live.
func (l *rollouts) number(n int) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return len(l.alive()) == n }, endurance, 20*time.Millisecond)
}

// arrange has three replicas, and the active with one other on one node. So the active goes first in a
// scale-down, for a ReplicaSet thins out nodes with several of its Pods.
func (l *rollouts) arrange() {
	l.t.Helper()
	l.uncordon()
	l.kubectl("", "scale", "deployment/invoicer", "--replicas=3")
	for range 10 {
		l.number(3)
		l.complete()
		active := l.active()
		home := l.nodeOf(active.Replica)
		var beside, elsewhere []string
		for _, pod := range l.alive() {
			switch {
			case pod == active.Replica:
			case l.nodeOf(pod) == home:
				beside = append(beside, pod)
			default:
				elsewhere = append(elsewhere, pod)
			}
		}
		switch len(beside) {
		case 0:
			l.names(elsewhere[0])
		case 1:
			return
		case 2: // the next Pod comes to the empty node
			l.kubectl("", "delete", "pod", beside[0])
		}
	}
	require.Fail(l.t, "the Pods do not spread")
}

// names has the active hand over to a Pod.
func (l *rollouts) names(pod string) {
	l.t.Helper()
	i := l.journal.Len()
	l.kubectl("", "annotate", "lease/invoicer", "--overwrite", lease.AnnotationSuccessor+"="+pod)
	require.Equal(l.t, pod, l.next(i).Replica)
}

// drains empties the active's node, and returns how few were ready meanwhile.
func (l *rollouts) drains() int {
	l.t.Helper()
	home := l.nodeOf(l.active().Replica)
	old := l.on(home)
	require.Len(l.t, old, 2)
	fewest := l.countReady()
	l.kubectl("", "drain", home.Name, "--pod-selector=app=invoicer", "--timeout=2m", "--force")
	l.gone(old)
	return fewest()
}

// drainsWithoutBudget: what the count of drains has to see.
func (l *rollouts) drainsWithoutBudget() {
	l.t.Helper()
	l.arrange()
	l.kubectl("", "delete", "poddisruptionbudget", "invoicer")
	l.add(trial.Fault, 0, "a drain without a budget")
	fewest := l.drains()
	l.add(trial.Over, 0, "")
	l.number(3)
	l.complete()
	require.Less(l.t, fewest, 2, "nothing but the budget makes a drain wait")
}

// countReady counts the Pods that are ready and not on their way out, until the result is asked for:
// the fewest.
func (l *rollouts) countReady() (fewest func() int) {
	l.t.Helper()
	pods := l.Plane().Admin().CoreV1().Pods(l.namespace)
	list, err := pods.List(l.t.Context(), metav1.ListOptions{})
	require.NoError(l.t, err)
	ready := map[string]bool{}
	see := func(pod *corev1.Pod, there bool) {
		delete(ready, pod.Name)
		if there && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, isReady) {
			ready[pod.Name] = true
		}
	}
	for i := range list.Items {
		see(&list.Items[i], true)
	}
	require.Len(l.t, ready, 3)
	w, err := pods.Watch(l.t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(l.t, err)
	least := make(chan int, 1)
	go func() {
		n := len(ready)
		for event := range w.ResultChan() {
			if pod, is := event.Object.(*corev1.Pod); is {
				see(pod, event.Type != watch.Deleted)
				n = min(n, len(ready))
			}
		}
		least <- n
	}()
	return func() int { w.Stop(); return <-least }
}

func isReady(c corev1.PodCondition) bool {
	return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
}

// cordons cordons the active's node, which moves nothing, and deletes the active's Pod.
func (l *rollouts) cordons() {
	l.t.Helper()
	active := l.active()
	l.kubectl("", "cordon", l.nodeOf(active.Replica).Name)
	l.rest(settled)
	require.Equal(l.t, active.Token, l.active().Token)
	i := l.journal.Len()
	l.kubectl("", "delete", "pod", "--wait=false", active.Replica)
	l.next(i)
	l.gone(map[int]string{active.PID: active.Replica})
}

func (l *rollouts) uncordon() {
	l.t.Helper()
	for _, n := range l.Nodes {
		l.kubectl("", "uncordon", n.Name)
	}
}

func (l *rollouts) cordoned(n *Node) bool {
	l.t.Helper()
	object, err := l.Plane().Admin().CoreV1().Nodes().Get(l.t.Context(), n.Name, metav1.GetOptions{})
	require.NoError(l.t, err)
	return object.Spec.Unschedulable
}
