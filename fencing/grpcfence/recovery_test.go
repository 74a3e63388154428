package grpcfence_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/grpcfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The row of internal/docs/guards.md: the mark is the far guard's, and is mended there.
func TestRecovery(t *testing.T) {
	behind := &restarting{}
	g := (&register{guard: behind}).serve(t)
	fresh := func(t testing.TB) { behind.Store(newMemory(t, 0)) }
	fresh(t)
	guardtest.Recovery{
		Guard: func(t testing.TB) fencing.Guard { return grpcfence.NewRemote(bare(t, g.addr)) },
		Lose:  fresh, Repair: fresh,
	}.Run(t)
}

// restarting is the guard of a server that is started again.
type restarting struct{ atomic.Pointer[fencing.Memory] }

func (r *restarting) Announce(ctx context.Context, t fencing.Token) error {
	return r.Load().Announce(ctx, t)
}
func (r *restarting) Check(ctx context.Context, t fencing.Token) error { return r.Load().Check(ctx, t) }
func (r *restarting) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return r.Load().Mark(ctx, scope)
}
func (r *restarting) Enter(ctx context.Context, t fencing.Token) (context.Context, func(), error) {
	return r.Load().Enter(ctx, t)
}
