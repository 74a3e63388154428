package statuspage

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// lab is a cluster in a bubble, with the Lease shop/invoicer.
type lab struct {
	*testing.T
	*singletontest.Cluster
}

func inLab(t *testing.T, f func(l lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(c.Close)
		f(lab{t, c})
	})
}

// start runs a replica until the test ends or stop is called.
func (l lab) start(name string, guards ...fencing.Guard) (e *singleton.Elector, stop func()) {
	e, err := singleton.New(l.Client(name), singleton.Config{
		Name: "invoicer", Namespace: "shop", Guards: guards, Logger: slog.New(slog.DiscardHandler),
		Replica: singleton.ReplicaConfig{Identity: name},
	})
	require.NoError(l, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx, func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil })
	}()
	stop = func() { cancel(); <-done }
	l.Cleanup(func() { l.Link(name).Heal(); stop() })
	synctest.Wait()
	return e, stop
}

// scripted is a guard that answers what the test says.
type scripted struct{ err atomic.Pointer[error] }

func (g *scripted) says(err error) { g.err.Store(&err) }

func (g *scripted) Announce(context.Context, fencing.Token) error {
	if err := g.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (g *scripted) Mark(context.Context, string) (fencing.Token, error) { return fencing.Token{}, nil }

// nowhere is a client of an elector that is not run.
type nowhere struct{}

func (nowhere) Leases(string) coordclient.LeaseInterface { return nil }
