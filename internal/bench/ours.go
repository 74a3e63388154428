package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/singleton"
)

// ours is hotseat's elector.
func ours() elector { return elector{name: "hotseat", stand: standOurs} }

// oursSharing is hotseat's elector with one watch for all that use the elector
// value returned, as for a process with many Leases.
func oursSharing() elector {
	var once sync.Once
	var watch *singleton.SharedWatch
	return elector{name: "hotseat-shared", stand: func(ctx context.Context, r replica) error {
		client, err := r.ownClient()
		if err != nil {
			return err
		}
		once.Do(func() { watch = singleton.NewSharedWatch(client, scenario.Namespace, quiet()) })
		r.client, r.watch = client, watch
		return standOurs(ctx, r)
	}}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func standOurs(ctx context.Context, r replica) error {
	client, err := r.ownClient()
	if err != nil {
		return err
	}
	e, err := singleton.New(client, singleton.Config{
		Namespace: scenario.Namespace, Name: r.lease, Identity: r.identity,
		LeaseDuration: r.timing.LeaseDuration, RenewDeadline: r.timing.RenewDeadline, RetryPeriod: r.timing.RetryPeriod,
		SharedWatch: r.watch, Logger: quiet(),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
		return r.work(ctx, term.Valid, term.Token().Epoch)
	})
}
