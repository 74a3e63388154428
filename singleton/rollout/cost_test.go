package rollout_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton/rollout"
)

// The active's Pod has a cost, which grows from term to term; no other Pod has one.
func TestDeletionCost(t *testing.T) {
	inLab(t, func(l *lab) {
		config := rollout.Config{DeletionCost: true}
		cost := func(pod string) int {
			text := l.annotation(podPath+pod, rollout.AnnotationCost)
			n, err := strconv.Atoi(text)
			require.Equal(l, text == "", err != nil, text)
			return n
		}
		a, stopA := l.stoppable("old-1", config)
		b := l.replica("old-2", config)
		require.True(l, a.IsActive())
		first := cost("old-1")
		require.Positive(l, first)
		require.Zero(l, cost("old-2"))
		sleep(5 * time.Minute)
		require.Equal(l, 1, l.asked("patch pods"), "one for a term")
		a.Resign()
		sleep(2 * time.Second)
		require.True(l, b.IsActive())
		second := cost("old-2")
		require.Greater(l, second, first)
		require.Zero(l, cost("old-1"))
		require.Empty(l, l.annotation(podPath+"old-1", rollout.AnnotationOwnCost))
		require.Equal(l, 3, l.asked("patch pods"))

		stopA() // a crash would leave it like this
		l.putPod("old-1", "invoicer-old",
			`, "annotations": {"controller.kubernetes.io/pod-deletion-cost": "7", "hotseat-go.github.io/pod-deletion-cost": "7"}`)
		l.replica("old-1", config)
		require.Zero(l, cost("old-1"), "the next process removes it")
	})
}

func TestDeletionCostOfSomebodyElses(t *testing.T) {
	inLab(t, func(l *lab) {
		l.putPod("old-1", "invoicer-old", `, "annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}`)
		e := l.replica("old-1", rollout.Config{DeletionCost: true})
		require.True(l, e.IsActive())
		sleep(time.Minute)
		require.Equal(l, "-5", l.annotation(podPath+"old-1", rollout.AnnotationCost))
		require.Zero(l, l.asked("patch pods"))
	})
}

// The follower ends with its context, also while the elector's work drains.
func TestDeletionCostEndsInATerm(t *testing.T) {
	inLab(t, func(l *lab) {
		e := l.replica("old-1", rollout.Config{Terminating: true})
		require.True(l, e.IsActive())
		ctx, cancel := context.WithCancel(l.Context())
		done := make(chan error, 1)
		f := l.follower("old-1", rollout.Config{DeletionCost: true})
		go func() { done <- f.Run(ctx, e) }()
		synctest.Wait()
		require.NotEmpty(l, l.annotation(podPath+"old-1", rollout.AnnotationCost))
		cancel()
		require.NoError(l, <-done)
		require.True(l, e.IsActive())
	})
}

// A request that was tried for a whole term writes nothing for a term that is over.
func TestDeletionCostIsLate(t *testing.T) {
	inLab(t, func(l *lab) {
		config := rollout.Config{DeletionCost: true}
		l.forbid("patch pods")
		a, b := l.replica("old-1", config), l.replica("old-2", config)
		require.True(l, a.IsActive())
		sleep(time.Minute)
		a.Resign()
		sleep(time.Second) // a standby may pause before it acquires
		require.True(l, b.IsActive())
		l.forbid()
		before := l.asked("patch pods")
		sleep(2 * time.Minute)
		require.NotEmpty(l, l.annotation(podPath+"old-2", rollout.AnnotationCost))
		require.Equal(l, 1, l.asked("patch pods")-before, "of the active")
	})
}
