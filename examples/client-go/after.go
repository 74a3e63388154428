package main

import (
	"context"
	"log"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

// after elects with hotseat, behind the same callbacks.
func after(ctx context.Context, r replica) error {
	client, err := singleton.NewClient(r.config)
	if err != nil {
		return err
	}
	lock, err := leaderlock.New(client, singleton.Config{
		Name:      "invoicer",
		Namespace: r.namespace,
		Replica:   singleton.ReplicaConfig{Identity: r.name},
	})
	if err != nil {
		return err
	}
	return lock.RunElector(ctx, leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: r.work,
			OnStoppedLeading: func() { log.Print("stopped leading") },
			OnNewLeader:      func(identity string) { log.Printf("%s leads", identity) },
		},
	})
}
