package examples

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// The guide shows parts of this file to the letter; TestGoInTheDocsIsCompiled compares.

type queue struct {
	items chan string
	bill  func(ctx context.Context, item string) error // may hang
}

func (q *queue) work(ctx context.Context, term *singleton.Term) error {
	for {
		select {
		case item := <-q.items:
			if err := q.bill(ctx, item); err != nil {
				return err
			}
		case <-time.After(5 * time.Second): // an empty queue is no stall
		case <-ctx.Done():
			return nil
		}
		term.Progress() // an item was billed, or there was none
	}
}

func (q *queue) start(t *testing.T, cluster *singletontest.Cluster, name string) *singleton.Elector {
	elector, err := singleton.New(cluster.Client(name), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: quiet(),
		Replica: singleton.ReplicaConfig{Identity: name, ProgressWithin: time.Minute},
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { done <- elector.Run(ctx, q.work) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	return elector
}

func TestAnotherReplicaTakesOverFromWedgedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)
		items := make(chan string)
		hang := func(ctx context.Context, _ string) error { <-ctx.Done(); return nil }
		wedged := &queue{items, hang}
		healthy := &queue{items, func(context.Context, string) error { return nil }}

		a := wedged.start(t, cluster, "a")
		_, err := a.WaitActive(t.Context())
		require.NoError(t, err)
		b := healthy.start(t, cluster, "b")
		time.Sleep(time.Hour)
		require.True(t, a.IsActive(), "the queue is empty")

		items <- "invoice 17"
		_, err = b.WaitActive(t.Context())
		require.NoError(t, err)
		require.False(t, a.IsActive())
	})
}
