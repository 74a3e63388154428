package singleton_test

import (
	"context"
	"fmt"
	"math"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// Cases that fail on the core as it is here. Each moves to the file of its kind once
// it is mended.

// A proxy that buffers (nginx with its defaults) holds back the header of a watch's
// answer, so that its opening times out each time.
func TestWatchThatNeverOpens(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	t.Run("the active's", func(t *testing.T) { neverOpens(t, "a", false) })
	t.Run("a standby's", func(t *testing.T) { neverOpens(t, "b", false) })
	t.Run("a standby's, shared", func(t *testing.T) { neverOpens(t, "b", true) })
	t.Run("the active's, shared", func(t *testing.T) { neverOpens(t, "a", true) })
}

// neverOpens plays it to one of an active a and a standby b.
func neverOpens(t *testing.T, who string, shared bool) {
	inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
		log := &lines{}
		w.Link(who).Inject(apiserver.Fault{Verbs: []string{"watch"}, HangRequest: true})
		for _, name := range []string{"a", "b"} {
			w.start(name, func(c *singleton.Config) {
				if name != who {
					return
				}
				c.Logger = log.logger()
				if shared {
					c.Replica.SharedWatch = singleton.NewSharedWatch(w.client(name), "shop", c.Logger)
				}
			})
		}
		sleep(10 * time.Minute)
		require.LessOrEqual(w, log.count("\n"), 60)
		require.Zero(w, log.count("cannot reach"))
		require.Zero(w, log.count("reached the Lease again"))
		require.Positive(w, log.count("proxy"))
		require.Equal(w, []string{"a"}, w.started())
	})
}

// The same calm retry where the watch is shared.
func TestUnauthorizedFromTheStartShared(t *testing.T) { unauthorized(t, true) }

// Answers of an acquire are lost for a while, or hang for nearly RenewDeadline: it is
// adopted later by its term id, and not waited out.
func TestUnheardAcquireIsAdoptedLater(t *testing.T) {
	writes := []string{"update", "patch", "create"}
	for _, stall := range []time.Duration{4 * second, 5200 * time.Millisecond, 6 * second, 9 * second} {
		t.Run("lost/"+stall.String(), func(t *testing.T) {
			unheard(t, apiserver.Fault{Verbs: writes, LoseAnswer: true}, stall, stall+2500*time.Millisecond)
		})
	}
	t.Run("hang/9s", func(t *testing.T) {
		unheard(t, apiserver.Fault{Verbs: writes, HangAnswer: true}, 9*second, 9*second+2500*time.Millisecond)
	})
}

// The greatest epoch that is believed, and those right below: it is remembered or
// announced, and nothing can follow.
func TestOneEditAtTheLimitBricksNoGuard(t *testing.T) {
	for _, n := range []int64{math.MaxInt64 / 2, math.MaxInt64/2 - 1, math.MaxInt64/2 - 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { poison(t, n) })
	}
}

// Deleted and created in one instant, with a shared watch: its queue keeps the last
// event only, so the seat counts as lost.
func TestLeaseShippedAnewInAnInstantCostsNothing(t *testing.T) {
	inWorldWith(t, func(w *world) { w.shared = true }, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		for range 20 {
			w.shipAnew(newLease())
			require.Less(w, w.nobodyFor(time.Minute), second)
			sleep(3 * second)
		}
	})
}

// Where a shared watch is refused, work that drains after Run's context ended must
// not have the loop spin. In real time, since a bubble's stands still meanwhile.
func TestDrainWithARefusedSharedWatch(t *testing.T) {
	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	_, err := c.CreateLease(newLease())
	require.NoError(t, err)
	c.Forbid("a", "watch")
	l := lab{t, c}
	e := l.elector("a", func(c *singleton.Config) {
		c.Replica.SharedWatch = singleton.NewSharedWatch(l.Client("a"), "shop", quiet())
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, drains(300*time.Millisecond)) }()
	require.Eventually(t, func() bool { return e.Status().State == singleton.StateActive }, 10*second, 10*time.Millisecond)
	time.Sleep(300 * time.Millisecond) // refused by now
	before := goroutinesCreated()
	stop()
	require.NoError(t, <-done)
	require.Less(t, goroutinesCreated()-before, uint64(1000))
}

func goroutinesCreated() uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
