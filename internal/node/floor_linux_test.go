package node

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/reach"
)

// floor is how long clients wait for an answer when nobody is elected: what no election can undercut.
type floor []time.Duration // ascending

// ownFloor is how long they wait in the middle of a term.
func (f *front) ownFloor() (all floor) {
	f.t.Helper()
	asked := len(f.prober.Answers())
	f.rest(5 * time.Second)
	for name := range f.inside {
		all = append(all, reach.Pause(f.prober.Answers()[asked:], name))
	}
	slices.Sort(all)
	return all
}

// bareFloor is how long it takes until they reach another Pod, from a bare change of endpoints on, which
// is made by hand in the way's manner.
func bareFloor(t *testing.T, c *Cluster, w way, place, times int) (all floor) {
	t.Helper()
	w.env = "nothing"
	f := newFront(t, c, w, place)
	pods, err := c.Plane().Admin().CoreV1().Pods(f.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(pods.Items), 2)
	now, next := &pods.Items[0], &pods.Items[1]
	w.bare(f, nil, now)
	f.reached(now.Name)
	for range times {
		f.rest(2 * time.Second)
		asked := len(f.prober.Answers())
		f.rest(10 * reach.Every) // so that each client has the old one's answers
		began := time.Now()
		w.bare(f, now, next)
		f.reached(next.Name)
		f.rest(10 * reach.Every)
		changes := reach.Changes(f.prober.Answers()[asked:])
		require.GreaterOrEqual(t, len(changes), len(f.inside), "each client sees it")
		for _, c := range changes {
			all = append(all, c.New.Got.Sub(began))
		}
		now, next = next, now
	}
	f.prober.Stop()
	f.kubectl("", "delete", "namespace", f.namespace, "--wait=false")
	slices.Sort(all)
	return all
}

// reached waits until every client reaches a Pod.
func (f *front) reached(pod string) {
	f.t.Helper()
	for name := range f.inside {
		require.Eventually(f.t, func() bool { return f.prober.Last(name).Name == pod },
			endurance, reach.Every, "%s is not reached from %s", pod, name)
	}
}
