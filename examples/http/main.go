//go:build unix

// Command http shows a fenced HTTP server and a singleton that writes to it: three replicas, each a process of its own,
// count in one key-value store, while the story kills the active one, freezes another in the middle of a write and wakes
// it up beside its successor. At the end the numbers in the store must be 1, 2, 3, ... without a gap or a double, and
// the late write must have been refused. See README.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	run := func() error { return tell(ctx, os.Stdout) }
	if len(os.Args) == 2 && os.Args[1] == replicaArg {
		run = func() error { return runReplica(ctx) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "http:", err)
		os.Exit(1)
	}
}

// runReplica is the whole life of a replica process.
func runReplica(ctx context.Context) error {
	var config replicaConfig
	if err := proc.Told(&config); err != nil {
		return err
	}
	client, err := singleton.NewClient(&rest.Config{Host: config.API, BearerToken: config.Name})
	if err != nil {
		return err
	}
	log := func(format string, args ...any) { fmt.Printf("  %s: %s\n", config.Name, fmt.Sprintf(format, args...)) }
	return runCounter(ctx, client, singleton.Config{
		Name: leaseName, Namespace: namespace, Replica: singleton.ReplicaConfig{Identity: config.Name},
		Timing: lease.Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond}, // to be watched
		Logger: slog.New(slog.DiscardHandler),
	}, config.Store, 100*time.Millisecond, log)
}
