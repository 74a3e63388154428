package examples

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/rollout"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// The guide shows this function to the letter; TestGoInTheDocsIsCompiled compares.

func withFollower(
	ctx context.Context, client *singleton.Client, elector *singleton.Elector, work singleton.Work,
) error {
	follower, err := rollout.New(client, rollout.Config{
		Terminating: true, Revision: true, DeletionCost: true,
	})
	if err != nil {
		return err
	}
	go func() { _ = follower.Run(ctx, elector) }() // until ctx ends
	return elector.Run(ctx, work)
}

// An API server without the Pod takes nothing from the election.
func TestWithFollower(t *testing.T) {
	t.Setenv("POD_NAME", "invoicer-0")
	t.Setenv("POD_NAMESPACE", "shop")
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	client, err := singleton.NewClient(cluster.RESTConfig("invoicer-0"))
	require.NoError(t, err)
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	worked := false
	err = withFollower(ctx, client, elector, func(context.Context, *singleton.Term) error {
		worked = true
		cancel()
		return nil
	})
	require.NoError(t, err)
	require.True(t, worked)
}
