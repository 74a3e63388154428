package rollout_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/rollout"
)

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A Pod that is being deleted does not become active, even if there is nobody else; it goes on if
// it is.
func TestTerminating(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.replica("old-1", rollout.Config{Terminating: true})
		b := l.replica("old-2", rollout.Config{Terminating: true})
		require.True(l, a.IsActive())
		dying := `, "deletionTimestamp": "2000-01-01T00:00:00Z"`
		l.putPod("old-1", "invoicer-old", dying)
		l.putPod("old-2", "invoicer-old", dying)
		sleep(time.Minute)
		require.True(l, a.IsActive(), "its term goes on until SIGTERM")
		a.Resign()
		sleep(time.Minute)
		require.False(l, a.IsActive() || b.IsActive())
		require.Equal(l, 2, l.logs.count("this Pod is being deleted"))
	})
}

// Replicas of the newest revision go first, and after a rollback those that were old. If there is
// none, the others wait for Courtesy only.
func TestRevision(t *testing.T) {
	inLab(t, func(l *lab) {
		config := rollout.Config{Revision: true, Courtesy: 2 * time.Second}
		old1, old2 := l.replica("old-1", config), l.replica("old-2", config)
		fresh := l.replica("new-1", config)
		require.True(l, old1.IsActive())
		l.put(deploymentPath+"invoicer", deployment(2, 4, 1, 4))
		synctest.Wait()
		old1.Resign()
		sleep(time.Second) // a standby may pause before it acquires
		require.True(l, fresh.IsActive(), "old-2 lets it go first")

		fresh.SetEligible(false) // as if it were gone
		sleep(5 * time.Second)   // old-1 does not stand back any more
		began := time.Now()
		fresh.Resign()
		synctest.Wait()
		require.False(l, old1.IsActive() || old2.IsActive())
		for !old1.IsActive() && !old2.IsActive() {
			sleep(10 * time.Millisecond)
		}
		require.InDelta(l, 2*time.Second, time.Since(began), float64(300*time.Millisecond))
		fresh.SetEligible(true)

		l.put(setPath+"invoicer-old", replicaSet(3)) // a rollback
		l.put(deploymentPath+"invoicer", deployment(3, 3, 2, 3))
		sleep(5 * time.Second)
		for range 3 { // whichever is active hands over to an old one
			for _, e := range []*singleton.Elector{old1, old2} {
				if e.IsActive() {
					e.Resign()
					synctest.Wait()
					require.False(l, fresh.IsActive())
					sleep(5 * time.Second)
				}
			}
		}
		require.True(l, old1.IsActive() || old2.IsActive())
	})
}

// A replica on a cordoned node lets others go first; with an older revision, too, it waits for
// twice as long.
func TestNode(t *testing.T) {
	inLab(t, func(l *lab) {
		config := rollout.Config{Node: true, Revision: true}
		a, b := l.replica("old-1", config), l.replica("old-2", config)
		c := l.replica("new-1", config)
		b.SetEligible(false)
		require.True(l, a.IsActive())
		l.put(nodePath+"node-1", `{"spec": {"unschedulable": true}}`)
		b.SetEligible(true)
		synctest.Wait()
		a.Resign()
		sleep(time.Second) // a standby may pause before it acquires
		require.True(l, b.IsActive(), "the only one on the other node")
		sleep(5 * time.Second)
		l.put(deploymentPath+"invoicer", deployment(2, 4, 1, 4))
		synctest.Wait()
		b.SetEligible(false)
		b.Resign()
		sleep(1200 * time.Millisecond)
		require.True(l, c.IsActive(), "older and cordoned is worse than cordoned")

		l.put(nodePath+"node-1", `{"spec": {}}`)
		sleep(5 * time.Second)
		b.SetEligible(true)
		synctest.Wait()
		require.Positive(l, l.logs.count("courtesy=2s"))
		require.Positive(l, l.logs.count("courtesy=0s"))
	})
}

// By option, an old active hands over when all Pods but its own are new and available; and only
// then, and only once.
func TestHandOver(t *testing.T) {
	inLab(t, func(l *lab) {
		config := rollout.Config{Revision: true, HandOver: true}
		old, fresh := l.replica("old-1", config), l.replica("new-1", config)
		require.True(l, old.IsActive())
		for _, d := range []string{
			deployment(2, 4, 1, 4), deployment(2, 3, 2, 2), deployment(2, 3, 3, 3), deployment(2, 1, 0, 1),
			strings.Replace(deployment(2, 3, 2, 3), `"observedGeneration": 2`, `"observedGeneration": 1`, 1),
		} {
			l.put(deploymentPath+"invoicer", d)
			sleep(time.Minute)
			require.True(l, old.IsActive(), d)
		}
		l.put(deploymentPath+"invoicer", deployment(2, 3, 2, 3))
		sleep(time.Second) // a standby may pause before it acquires
		require.True(l, fresh.IsActive())
		require.Equal(l, 1, l.logs.count("complete but for this Pod"))

		fresh.SetEligible(false)
		fresh.Resign()
		sleep(5 * time.Second)
		require.True(l, old.IsActive(), "somebody has to be")
		l.put(deploymentPath+"invoicer", deployment(2, 3, 2, 3))
		sleep(time.Minute)
		require.True(l, old.IsActive())
		require.Equal(l, 1, l.logs.count("complete but for this Pod"), "not again and again")
	})
}

// A right that is missing is told once, and changes nothing else.
func TestForbidden(t *testing.T) {
	for right, test := range map[string]struct {
		config  rollout.Config
		options string // as they are logged
	}{
		"watch pods":        {rollout.Config{Terminating: true, Node: true}, `"Terminating, Node"`},
		"get replicasets":   {rollout.Config{Revision: true}, "Revision"},
		"watch deployments": {rollout.Config{Revision: true}, "Revision"},
		"watch nodes":       {rollout.Config{Node: true}, "Node"},
		"get pods":          {rollout.Config{DeletionCost: true}, "DeletionCost"},
		"patch pods":        {rollout.Config{DeletionCost: true}, "DeletionCost"},
	} {
		inLab(t, func(l *lab) {
			config := test.config
			l.forbid(right)
			a, b := l.replica("old-1", config), l.replica("old-2", config)
			require.True(l, a.IsActive())
			sleep(5 * time.Minute)
			a.Resign()
			sleep(time.Second) // a standby may pause before it acquires
			require.True(l, b.IsActive(), right)
			require.LessOrEqual(l, l.logs.count("no right to "+right), 4, "%s: once for each replica, and term", right)
			told := l.logs.count("no right to " + right)
			require.Positive(l, told, right)
			require.Equal(l, told, l.logs.count("option="+test.options+" error="), right)
			require.Less(l, l.asked(right), 30, "about once a minute, by each")
		})
	}
}

// A right that is given later counts; watches that end are opened again, and nothing is lost in
// between.
func TestWatchesEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		l.forbid("watch pods")
		a := l.replica("old-1", rollout.Config{Terminating: true, Revision: true})
		sleep(time.Second)
		l.forbid()
		sleep(2 * time.Minute)
		l.endWatches("")
		l.putPod("old-1", "invoicer-old", `, "deletionTimestamp": "2000-01-01T00:00:00Z"`)
		sleep(time.Second)
		require.Equal(l, 1, l.logs.count("this Pod is being deleted"))
		sleep(10 * time.Minute)
		require.Less(l, l.asked("watch deployments"), 6, "each five to eight minutes")
		require.Equal(l, 1, l.logs.count("this Pod is being deleted"))
		require.True(l, a.IsActive())
	})
}

// A right that is given soon counts soon.
func TestGivenSoon(t *testing.T) {
	inLab(t, func(l *lab) {
		l.forbid("watch pods")
		l.replica("old-1", rollout.Config{Terminating: true})
		l.forbid()
		l.putPod("old-1", "invoicer-old", `, "deletionTimestamp": "2000-01-01T00:00:00Z"`)
		sleep(2 * time.Second)
		require.Equal(l, 1, l.logs.count("this Pod is being deleted"))
	})
}

// A proxy may cut every watch. That is no failure of an option, and nothing is seen late.
func TestWatchesAreCut(t *testing.T) {
	inLab(t, func(l *lab) {
		l.replica("old-1", rollout.Config{Terminating: true})
		for range 20 {
			sleep(30 * time.Second)
			l.endWatches(`{"type": `)
		}
		sleep(time.Second)
		l.putPod("old-1", "invoicer-old", `, "deletionTimestamp": "2000-01-01T00:00:00Z"`)
		synctest.Wait()
		require.Equal(l, 1, l.logs.count("this Pod is being deleted"))
		require.Zero(l, l.logs.count("level=WARN"))
	})
}

// Pods without a ReplicaSet, or a ReplicaSet without a Deployment, have no revision.
func TestWithoutADeployment(t *testing.T) {
	inLab(t, func(l *lab) {
		l.put(podPath+"old-1", `{"metadata": {"ownerReferences": [{"kind": "StatefulSet", "name": "x", "controller": true}]}}`)
		l.put(setPath+"invoicer-old", `{}`)
		a, b := l.replica("old-1", rollout.Config{Revision: true, Node: true}), l.replica("old-2", rollout.Config{Revision: true})
		require.True(l, a.IsActive())
		a.Resign()
		sleep(time.Second) // a standby may pause before it acquires
		require.True(l, b.IsActive())
		require.Equal(l, 1, l.logs.count("no ReplicaSet owns this Pod"))
		require.Equal(l, 1, l.logs.count("no Deployment owns this Pod's ReplicaSet"))
	})
}

func TestConfig(t *testing.T) {
	client, err := singleton.NewClient(&rest.Config{})
	require.NoError(t, err)
	for name, c := range map[string]rollout.Config{
		"Config":    {Pod: "x", Namespace: "y"},
		"HandOver":  {Node: true, HandOver: true},
		"Courtesy":  {Node: true, Courtesy: -1},
		"Namespace": {Node: true, Pod: "x"},
	} {
		t.Setenv("POD_NAMESPACE", "")
		_, err := rollout.New(client, c)
		var field *lease.FieldError
		require.ErrorAs(t, err, &field, name)
		require.Equal(t, name, field.Field)
	}
	for _, none := range []rollout.Client{nil, (*singleton.Client)(nil), &singleton.Client{}} {
		_, err := rollout.New(none, rollout.Config{Node: true, Namespace: "shop"})
		var field *lease.FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, "client", field.Field)
	}
}

func TestRunsOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		f := l.follower("old-1", rollout.Config{Node: true})
		ctx, cancel := context.WithCancel(l.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx, nil) }()
		synctest.Wait()
		require.ErrorIs(l, f.Run(ctx, nil), rollout.ErrRunning)
		cancel()
		require.NoError(l, <-done)
		ended, cancel := context.WithCancel(l.Context())
		cancel()
		require.NoError(l, f.Run(ended, nil), "again")
	})
}
