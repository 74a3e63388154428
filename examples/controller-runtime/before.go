package main

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// before elects with client-go.
func before(ctx context.Context, o operator) error {
	options := o.options
	options.LeaderElection = true
	options.LeaderElectionID = "greeter.example.com"
	options.LeaderElectionNamespace = o.namespace
	options.LeaderElectionReleaseOnCancel = true
	m, err := ctrl.NewManager(o.config, options)
	if err != nil {
		return err
	}
	if err := setUp(m); err != nil {
		return err
	}
	if err := m.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return err
	}
	return m.Start(ctx)
}
