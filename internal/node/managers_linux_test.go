package node

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
)

const managerImage = "hotseat.test/manager:1"

// didWork is what internal/frameworks/operator reports each time that one of its controllers does
// something.
const didWork trial.Kind = "worked"

// TestManagers: a manager of controller-runtime's over leaderlock, as a Deployment that is rolled out:
// one at a time is at work, judged by what its controllers report. Beside it client-go's election, and
// a control without one, in which the audit has to see that several are at work.
func TestManagers(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort is the short run")
	}
	c := newCluster(t, Options{Images: []Image{
		{Name: managerImage, Module: "../frameworks", Package: "./operator"},
	}})
	t.Run("hotseat", func(t *testing.T) {
		l := newManagers(t, c, "hotseat", 8101)
		l.rollsOut()
		l.withoutSurge()
		l.rollsOut()
		l.deletesActive()
		all := l.ends()
		require.GreaterOrEqual(t, len(all), 4, "each of them ended a term")
		t.Logf("overlap %v", overlapOf(all))
		require.Zero(t, overlapOf(all))
		for i, s := range all {
			require.False(t, s.token.IsZero(), "%s worked without a token", s.replica)
			if i > 0 {
				require.Greater(t, s.token.Epoch, all[i-1].token.Epoch)
				require.Less(t, s.after(all[i-1]), 15*time.Second, "released, not waited for")
			}
		}
	})
	t.Run("client-go", func(t *testing.T) {
		l := newManagers(t, c, "client-go", 8102)
		l.rollsOut()
		l.withoutSurge()
		l.rollsOut()
		t.Logf("overlap %v", overlapOf(l.ends()))
	})
	t.Run("no election", func(t *testing.T) {
		l := newManagers(t, c, "none", 8103)
		l.rollsOut()
		overlap := overlapOf(l.ends())
		t.Logf("overlap %v", overlap)
		require.Positive(t, overlap, "three were at work, and the audit did not see it")
	})
}

// managers is a lab whose replicas are managers.
type managers struct{ *lab }

// newManagers deploys three that elect in a certain way, and waits until one is at work.
func newManagers(t *testing.T, c *Cluster, elector string, port int) managers {
	t.Helper()
	l := managers{newLab(t, c, "managers-"+elector, port, false)}
	objects := shipped(t, nil, func(container map[string]any) {
		container["image"] = managerImage
		container["env"] = append(container["env"].([]any),
			map[string]any{"name": "ELECTOR", "value": elector},
			map[string]any{"name": "REPORT", "value": l.reports.LocalAddr().String()})
	})
	l.kubectl("", "create", "namespace", l.namespace)
	l.kubectl("", "create", "role", "operator", "--verb=get,list,watch", "--resource=configmaps")
	l.kubectl("", "create", "rolebinding", "operator", "--role=operator",
		"--serviceaccount="+l.namespace+":invoicer")
	l.kubectl("", "create", "configmap", "to-reconcile")
	l.kubectl(objects, "apply", "-f", "-")
	l.complete()
	l.active()
	l.rest(settled)
	return l
}

// withoutSurge has the next rollout end a Pod before it starts another.
func (l *lab) withoutSurge() {
	l.t.Helper()
	l.kubectl("", "patch", "deployment/invoicer", "-p",
		`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}`)
}

// rollsOut replaces every Pod, and waits until a new one is at work.
func (l managers) rollsOut() {
	l.t.Helper()
	old := l.alive()
	require.Len(l.t, old, 3)
	l.kubectl("", "rollout", "restart", "deployment/invoicer")
	l.complete()
	l.await(0, "work in a new Pod", func(e trial.Event) bool { return e.Kind == didWork && fresh(old, e) })
	l.gone(old)
	l.rest(settled)
}

func fresh(old map[int]string, e trial.Event) bool {
	_, is := old[e.PID]
	return e.PID != 0 && !is
}

// gone waits until these have ended: a rollout does not wait for that.
func (l *lab) gone(old map[int]string) {
	l.t.Helper()
	for pid, pod := range old {
		l.await(0, pod+"'s end", func(e trial.Event) bool { return e.Kind == trial.Exited && e.PID == pid })
	}
}

// deletesActive deletes the active's Pod, and waits for the next one's work.
func (l managers) deletesActive() {
	l.t.Helper()
	victim, i := l.active(), l.journal.Len()
	l.kubectl("", "delete", "pod", "--wait=false", victim.Replica)
	next := l.next(i)
	require.NotEqual(l.t, victim.PID, next.PID)
	l.gone(map[int]string{victim.PID: victim.Replica})
	l.complete()
	l.rest(settled)
}

// ends ends all of them, and returns their work. It prints each handover.
func (l managers) ends() []stretch {
	l.t.Helper()
	last := l.alive()
	l.kubectl("", "scale", "deployment/invoicer", "--replicas=0")
	l.gone(last)
	l.kubectl("", "delete", "namespace", l.namespace, "--wait=false")
	events, _ := l.journal.Since(0)
	all := stretches(events)
	for i := 1; i < len(all); i++ {
		gap, what := all[i].after(all[i-1]).Round(time.Millisecond), "nobody at work for"
		if gap < 0 {
			gap, what = -gap, "both at work for"
		}
		l.t.Logf("%s to %s: %s %v", all[i-1].replica, all[i].replica, what, gap)
	}
	return all
}

// stretch is one process's work, from what it did first to what it did last.
type stretch struct {
	replica     string
	pid         int
	token       fencing.Token
	first, last int64
}

// after is how long nobody was at work between an earlier one and s.
func (s stretch) after(earlier stretch) time.Duration { return time.Duration(s.first - earlier.last) }

// stretches are in the order in which they began.
func stretches(events []trial.Event) (all []stretch) {
	for _, e := range events {
		if e.Kind != didWork {
			continue
		}
		i := slices.IndexFunc(all, func(s stretch) bool { return s.pid == e.PID })
		if i < 0 {
			all = append(all, stretch{e.Replica, e.PID, e.Token, e.At, e.At})
			continue
		}
		all[i].first, all[i].last = min(all[i].first, e.At), max(all[i].last, e.At)
	}
	slices.SortFunc(all, func(x, y stretch) int { return cmp.Compare(x.first, y.first) })
	return all
}

// overlapOf is for how long two were at work at most.
func overlapOf(all []stretch) (most time.Duration) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			most = max(most, time.Duration(min(a.last, b.last)-b.first))
		}
	}
	return most
}
