// Package chance is where the protocol's random pauses come from. They are
// drawn from math/rand/v2 unless a context says otherwise: the simulator gives
// each of its processes draws of its seed, so that a run can be repeated.
package chance

import (
	"context"
	"math/rand/v2"
	"time"
)

// Draw returns a duration in [0, d). It must be safe for concurrent use.
type Draw func(d time.Duration) time.Duration

type key struct{}

// With returns a context in which [N] draws by draw.
func With(ctx context.Context, draw Draw) context.Context { return context.WithValue(ctx, key{}, draw) }

// N returns a random duration in [0, d). It panics if d <= 0.
func N(ctx context.Context, d time.Duration) time.Duration {
	if draw, ok := ctx.Value(key{}).(Draw); ok {
		return draw(d)
	}
	return rand.N(d)
}

// Of returns the [Draw] of [N] in that context; it returns zero where d is not positive.
func Of(ctx context.Context) Draw {
	return func(d time.Duration) time.Duration {
		if d <= 0 {
			return 0
		}
		return N(ctx, d)
	}
}

type wallKey struct{}

// WithWall returns a context in which [Wall] is read: what the machine's clock shows,
// which may stand still or run backwards. It must be safe for concurrent use.
func WithWall(ctx context.Context, read func() time.Time) context.Context {
	return context.WithValue(ctx, wallKey{}, read)
}

// Wall returns the clock of [WithWall], or [time.Now].
func Wall(ctx context.Context) func() time.Time {
	if read, ok := ctx.Value(wallKey{}).(func() time.Time); ok {
		return read
	}
	return time.Now
}
