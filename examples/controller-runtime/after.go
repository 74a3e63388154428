package main

import (
	"context"
	"net/http"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderlock"
)

// after elects with hotseat.
func after(ctx context.Context, o operator) error {
	client, err := singleton.NewClient(o.config)
	if err != nil {
		return err
	}
	lock, err := leaderlock.New(client, singleton.Config{
		Name:      "greeter.example.com",
		Namespace: o.namespace,
	})
	if err != nil {
		return err
	}
	options := o.options
	options.LeaderElection = true
	options.LeaderElectionResourceLockInterface = lock
	options.BaseContext = lock.BaseContext
	m, err := ctrl.NewManager(o.config, options)
	if err != nil {
		return err
	}
	if err := setUp(m); err != nil {
		return err
	}
	ready := func(*http.Request) error { return lock.Elector().Ready() }
	if err := m.AddReadyzCheck("readyz", ready); err != nil {
		return err
	}
	return lock.Run(ctx, m.Start)
}
