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
