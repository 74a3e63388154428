package examples

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

func quick(evidence singleton.Evidence, ledger fencing.Guard) singleton.Config {
	return singleton.Config{
		Name:     "invoicer",
		Guards:   []fencing.Guard{ledger},
		Evidence: evidence,
		Timing: lease.Timing{
			LeaseDuration: 60 * time.Second,
			RenewDeadline: 45 * time.Second,
			RetryPeriod:   4 * time.Second,
		},
	}
}

// nobodyDies is evidence of nothing.
type nobodyDies struct{}

func (nobodyDies) Identify(context.Context) (string, error) { return "me", nil }

func (nobodyDies) Await(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }

func (nobodyDies) Dead(context.Context, string) (bool, error) { return false, nil }

func TestQuick(t *testing.T) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	config := quick(nobodyDies{}, guard)
	config.Namespace = "shop"
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer c.Close()
	_, err = singleton.New(c.Client("a"), config)
	require.NoError(t, err)
	require.Equal(t, 12*time.Second, config.Timing.WithDefaults().StopBudget().Truncate(time.Second))
}
