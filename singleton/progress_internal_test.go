package singleton

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Rule H9: only time in which this process ran counts.
func TestStallCountsTimeThatRan(t *testing.T) {
	const s, step = time.Second, 2 * time.Second
	var none stall
	working := none.look(3*s, 5*s, step)
	require.Equal(t, 2*s, working.idle, "since the report")
	require.Equal(t, 4*s, working.look(3*s, 7*s, step).idle)
	require.Equal(t, s/2, working.look(6*s, 6*s+s/2, step).idle, "another report")
	frozen := working.look(3*s, 60*s, step)
	require.Equal(t, 4*s, frozen.idle, "a freeze counts as one step")
	require.Equal(t, 5*s, frozen.look(3*s, 61*s, step).idle, "and then time counts again")
	require.Equal(t, step, working.look(6*s, 60*s, step).idle, "reported before the freeze")
	require.Zero(t, working.look(7*s, 7*s-1, step).idle, "reported after the clock was read")
}

// What a suspended machine has lost is lost: its work is not to blame, whatever it reported.
func TestSuspendedIsLostAndNotStalled(t *testing.T) {
	for _, woken := range []time.Duration{time.Millisecond, 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			causes := make(chan error, 10)
			machine := &sleeper{within: 5 * time.Second}
			stop := machine.start(t, func(ctx context.Context, term *Term) error {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return nil
			})
			time.Sleep(5*time.Second - woken)
			machine.suspend(time.Minute)
			require.ErrorIs(t, <-causes, ErrLost)
			require.NoError(t, stop())
		})
	}
}
