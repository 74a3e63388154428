package singleton_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// beside runs f with a standby whose Lease another replica holds.
func beside(t *testing.T, f func(l lab, b *singleton.Elector, log *lines)) {
	t.Helper()
	inLab(t, func(l lab) {
		l.run(l.elector("a"), idle)
		sleep(second)
		log := &lines{}
		f(l, l.elector("b", func(c *singleton.Config) { c.Logger = log.logger() }), log)
	})
}

// A right that is missing shows when the replica starts, and not at the next failover.
func TestMissingRightShowsAtTheStart(t *testing.T) {
	beside(t, func(l lab, b *singleton.Elector, log *lines) {
		l.Forbid("b", "update", "patch")
		r := l.run(b, idle)
		sleep(second)
		require.EqualError(l, b.Ready(), "singleton: this replica is not allowed to write the Lease")
		require.Equal(l, 1, log.count("level=ERROR"))
		sleep(lease.DefaultLeaseDuration)
		err := r.wait(l)
		require.ErrorIs(l, err, lease.ErrForbidden)
		require.ErrorContains(l, err, "patch lease: forbidden")
		require.Equal(l, 1, log.count("level=ERROR"), "told once")
	})
}

func TestMissingRightIsGranted(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	beside(t, func(l lab, b *singleton.Elector, log *lines) {
		l.Forbid("b", "update", "patch")
		l.run(b, idle)
		sleep(second)
		require.Error(l, b.Ready())
		l.Allow("b", "update", "patch")
		sleep(lease.DefaultLeaseDuration / 2)
		require.NoError(l, b.Ready())
		require.Equal(l, 1, log.count("the Lease can be written again"))
		sleep(time.Hour)
		require.NoError(l, b.Ready())
	})
}

// The verb update alone will do. What that costs is told at the start.
func TestUpdateAloneIsToldAtTheStart(t *testing.T) {
	beside(t, func(l lab, b *singleton.Elector, log *lines) {
		l.Forbid("b", "patch")
		l.run(b, idle)
		sleep(second)
		require.NoError(l, b.Ready())
		require.Equal(l, 1, log.count("not allowed to patch the Lease"))
	})
}

// Readiness does not flicker: it waits for the answer, and keeps it through an outage.
func TestReadyWaitsForTheAnswer(t *testing.T) {
	beside(t, func(l lab, b *singleton.Elector, _ *lines) {
		l.Link("b").Inject(apiserver.Fault{Verbs: []string{"patch"}, Count: 1, DelayBefore: 2 * second})
		l.run(b, idle)
		sleep(second)
		require.ErrorContains(l, b.Ready(), "has not said yet")
		sleep(2 * second)
		require.NoError(l, b.Ready())
		l.Link("b").BlackHole()
		sleep(time.Minute)
		require.NoError(l, b.Ready())
	})
}

// A standby asks once, and one of those that share a watch asks for all.
func TestRehearsalsAreFew(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	beside(t, func(l lab, b *singleton.Elector, _ *lines) {
		l.run(b, idle)
		sleep(time.Hour)
		require.Equal(l, 1, l.CountRequests("b", "patch"))
	})
	inLab(t, func(l lab) {
		_, _ = l.fleet("b").joinFew() // they hold the Leases
		sleep(second)
		electors, _ := l.fleet("a").joinFew()
		sleep(time.Minute)
		all(l, electors, singleton.StateStandby)
		require.Equal(l, 1, l.CountRequests("a", "patch"))
		for _, e := range electors {
			require.NoError(l, e.Ready())
		}
	})
}
