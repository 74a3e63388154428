package main

import (
	"context"
	"log/slog"

	"github.com/hotseat-go/hotseat/internal/scenario"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// ours is hotseat's elector.
func ours() elector { return elector{name: "hotseat", stand: standOurs} }

func standOurs(ctx context.Context, r replica) error {
	client, err := singleton.NewClient(r.config)
	if err != nil {
		return err
	}
	e, err := singleton.New(client, singleton.Config{
		Namespace: scenario.Namespace, Name: r.lease, Replica: singleton.ReplicaConfig{Identity: r.identity},
		Timing: lease.Timing{LeaseDuration: r.timing.LeaseDuration, RenewDeadline: r.timing.RenewDeadline, RetryPeriod: r.timing.RetryPeriod},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
		return r.work(ctx, term.Valid, term.Token().Epoch)
	})
}
