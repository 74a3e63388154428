// Package elapsed measures how much time passed on this machine, including
// time it spent suspended.
//
// Go's monotonic clock is CLOCK_MONOTONIC, which on Linux stands still while
// the machine sleeps (golang/go#24595): a suspended leader would wake with its
// lease timer where it was. CLOCK_BOOTTIME counts the sleep. The difference of
// the two grows by exactly the time slept, so
//
//	elapsed = monotonic difference + growth of (BOOTTIME - MONOTONIC)
//
// which is max(monotonic, BOOTTIME) without replacing the monotonic reading:
// inside a testing/synctest bubble the first term is virtual and the second is
// zero, as it should be.
//
// The two clocks cannot be read at one instant, so an Instant keeps bounds of
// their difference; growth is taken from the lower bound of the later instant
// and the upper bound of the earlier one. Without a suspend it is exactly zero,
// however long a reading was preempted.
//
// On other systems the suspended time is not seen: there a machine that slept
// is covered by fencing only. Nor is it with the build tag hotseat_nosuspend,
// which is for simulations alone: their time is not the machine's, and its clocks
// take half of what a run of them costs.
package elapsed

import (
	"math"
	"time"
)

// Clock makes Instants. The zero Clock is the machine's. A Clock is immutable
// and safe for concurrent use.
type Clock struct {
	suspended func() (low, high time.Duration)
}

// WithSuspend returns a Clock that asks read, instead of the machine, for
// bounds of the total time suspended so far. It is how tests suspend a machine.
func WithSuspend(read func() (low, high time.Duration)) Clock {
	return Clock{suspended: read}
}

// Instant is a point in time on this machine. The zero Instant is before every
// other. Instants of different machines or boots must not be compared.
type Instant struct {
	mono      time.Time
	low, high time.Duration // bounds of the time suspended since boot
}

// Now returns the current instant. It reads clocks only: no lock, no I/O.
func (c Clock) Now() Instant {
	suspended := c.suspended
	if suspended == nil {
		suspended = systemSuspended
	}
	low, high := suspended()
	return Instant{mono: time.Now(), low: low, high: high}
}

// Since returns the time that passed since i.
func (c Clock) Since(i Instant) time.Duration { return c.later().Sub(i) }

// Until returns the time left until i, negative once it is past.
func (c Clock) Until(i Instant) time.Duration { return -c.later().Sub(i) }

// later is Now for the later side of a Sub only, which needs one bound and so
// a system call less.
func (c Clock) later() Instant {
	const unbounded = 1 << 62
	if c.suspended == nil {
		low := systemSuspendedAtLeast()
		return Instant{mono: time.Now(), low: low, high: unbounded}
	}
	low, _ := c.suspended()
	return Instant{mono: time.Now(), low: low, high: unbounded}
}

// Sub returns the time that passed from j to i. When i is the later reading it
// counts time suspended in between. From the zero Instant to any other it is
// the longest Duration.
func (i Instant) Sub(j Instant) time.Duration {
	switch {
	case i.IsZero() && j.IsZero():
		return 0
	case i.IsZero():
		return math.MinInt64 + 1
	case j.IsZero():
		return math.MaxInt64
	}
	return i.mono.Sub(j.mono) + max(0, i.low-j.high) - max(0, j.low-i.high)
}

// Add returns the instant d after i.
func (i Instant) Add(d time.Duration) Instant {
	i.mono = i.mono.Add(d)
	return i
}

// After reports whether i is later than j.
func (i Instant) After(j Instant) bool { return i.Sub(j) > 0 }

// IsZero reports whether i is the zero Instant.
func (i Instant) IsZero() bool { return i.mono.IsZero() }

// Wall returns the wall-clock time at i, for people: never compare it with
// another machine's.
func (i Instant) Wall() time.Time { return i.mono.Round(0) }
