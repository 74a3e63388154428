package guardtest

import (
	"context"
	"sync"
	"testing"

	"github.com/hotseat-go/hotseat/fencing"
)

// NewRegister returns a register in this process, behind a guard that follows
// work in flight.
func NewRegister(guard fencing.Tracker) Subject { return &guarded{Tracker: guard} }

type guarded struct {
	fencing.Tracker

	mu    sync.Mutex
	value string
}

func (g *guarded) Client(testing.TB) Client { return g }

func (g *guarded) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	_, leave, err := g.Enter(ctx, t)
	if err != nil {
		return err
	}
	defer leave()
	between()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = value
	return nil
}

func (g *guarded) Read(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.value, nil
}
