// Package retry says when something that failed is tried again, and when it is not: pauses
// that grow, and refusals that were there from the start.
package retry

import (
	"context"
	"time"

	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/internal/elapsed"
)

// Pauses between failed requests. They are short enough that a replica is back within half a
// second of the API server, and they double so that a dead one is not hammered.
const (
	Least = 25 * time.Millisecond
	Most  = 400 * time.Millisecond
)

// Backoff returns the pause after that many failures in a row. It starts at Least, doubles each
// time, never exceeds most, and half of it is random.
func Backoff(draw chance.Draw, failures int, most time.Duration) time.Duration {
	return doubled(draw, failures, Least, most)
}

// After is Backoff for requests that may pause for longer: it starts at least.
func After(ctx context.Context, failures int, least, most time.Duration) time.Duration {
	return doubled(chance.Of(ctx), failures, least, most)
}

func doubled(draw chance.Draw, failures int, least, most time.Duration) time.Duration {
	d := min(most, least<<min(failures, 10))
	return d/2 + draw(d/2)
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Refusals distinguishes a permission that was never there from one that flickers, as permissions
// do while API servers restart. The zero value has seen none. An immutable value.
type Refusals struct{ first, last elapsed.Instant }

// Refused takes in a refusal. It begins a new row if nobody asked for longer than twice patience
// before it. began reports that this refusal is the first of a row.
func (r Refusals) Refused(now elapsed.Instant, patience time.Duration) (next Refusals, began bool) {
	if r.first.IsZero() || now.Sub(r.last) > 2*patience {
		r.first, began = now, true
	}
	r.last = now
	return r, began
}

// Last reports whether refusals have come in a row for patience.
func (r Refusals) Last(patience time.Duration) bool {
	return !r.first.IsZero() && r.last.Sub(r.first) >= patience
}

// Never reports whether they last, and began less than patience after began.
func (r Refusals) Never(began elapsed.Instant, patience time.Duration) bool {
	return r.Last(patience) && r.first.Sub(began) < patience
}
