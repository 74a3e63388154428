package route

import (
	"context"
	"sync"
)

// Ready says that work can serve. Call it in work, with work's context or one derived from it. From
// then on, Routers around the work that have Options.AwaitReady publish their addresses. Ready does
// not wait. It has no effect if it was called before, or if there is no Router.
func Ready(ctx context.Context) {
	ready, _ := ctx.Value(readyKey{}).(*readiness)
	for ; ready != nil; ready = ready.outer {
		ready.tell()
	}
}

type readyKey struct{}

// readiness of work in one term, for one Router.
type readiness struct {
	done  chan struct{}
	once  sync.Once
	outer *readiness // of a Router around this one
}

func withReady(ctx context.Context) (context.Context, *readiness) {
	outer, _ := ctx.Value(readyKey{}).(*readiness)
	r := &readiness{done: make(chan struct{}), outer: outer}
	return context.WithValue(ctx, readyKey{}, r), r
}

func (r *readiness) tell() {
	r.once.Do(func() { close(r.done) })
}

func (r *readiness) told() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}
