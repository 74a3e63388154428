package elapsed

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNowInBubbleIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		start := c.Now()
		for range 1000 {
			time.Sleep(time.Second)
		}
		require.Equal(t, 1000*time.Second, c.Since(start))
		require.Equal(t, time.Minute, c.Until(c.Now().Add(time.Minute)))
		require.True(t, c.Now().After(start))
		require.False(t, start.After(start))
		require.Equal(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), start.Wall().UTC())
	})
}

func TestSuspendCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept time.Duration
		// The reading is uncertain by a millisecond either way.
		c := WithSuspend(func() (low, high time.Duration) {
			return slept - time.Millisecond, slept + time.Millisecond
		})
		start := c.Now()
		time.Sleep(time.Second)
		require.Equal(t, time.Second, c.Since(start), "no suspend: uncertainty of the readings adds nothing")

		slept += 20 * time.Second
		require.InDelta(t, 21*time.Second, c.Since(start), float64(2*time.Millisecond))
		require.Negative(t, c.Until(start.Add(10*time.Second)), "a deadline 10 s after start is past after 20 s of sleep")
		require.InDelta(t, -21*time.Second, start.Sub(c.Now()), float64(2*time.Millisecond))
	})
}

func TestSystemSuspendedBounds(t *testing.T) {
	for range 10_000 {
		low, high := systemSuspended()
		require.LessOrEqual(t, low, high)
		low2, high2 := systemSuspended()
		require.LessOrEqual(t, low2-high, time.Duration(0), "the machine was not suspended during this test")
		require.LessOrEqual(t, low, high2)
	}
}

func TestZero(t *testing.T) {
	require.True(t, Instant{}.IsZero())
	require.False(t, Clock{}.Now().IsZero())
	for _, slept := range []time.Duration{0, time.Hour} {
		c := WithSuspend(func() (low, high time.Duration) { return slept, slept })
		require.True(t, c.Now().After(Instant{}))
		require.False(t, Instant{}.After(c.Now()), "also after the machine slept")
		require.Negative(t, c.Until(Instant{}))
		require.Positive(t, c.Since(Instant{}))
	}
	require.Zero(t, Instant{}.Sub(Instant{}))
}

func TestSystemSuspendedAtLeastIsALowerBound(t *testing.T) {
	for range 10_000 {
		low := systemSuspendedAtLeast()
		_, high := systemSuspended()
		require.LessOrEqual(t, low, high)
		start := Clock{}.Now()
		require.InDelta(t, 0, Clock{}.Since(start).Seconds(), 1, "not suspended")
	}
}

func BenchmarkSince(b *testing.B) {
	var c Clock
	start := c.Now()
	for b.Loop() {
		c.Since(start)
	}
}

func BenchmarkNow(b *testing.B) {
	var c Clock
	for b.Loop() {
		c.Now()
	}
}
