//go:build unix

package traffic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/internal/reach"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

const (
	namespace, leaseName = "shop", "invoicer"
	leaseDuration        = 3 * time.Second
)

// TestMain lets the test binary be the replicas.
func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[1] != "replica" {
		os.Exit(m.Run())
	}
	if err := replica(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// told is what a replica is told.
type told struct{ Name, API, Addr string }

// replica is the whole life of a replica. SIGUSR1 makes it resign.
func replica() error {
	var to told
	if err := proc.Told(&to); err != nil {
		return err
	}
	client, err := singleton.NewClient(&rest.Config{Host: to.API, BearerToken: to.Name})
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{
		Name: leaseName, Namespace: namespace, Replica: singleton.ReplicaConfig{Identity: to.Name},
		Timing: lease.Timing{LeaseDuration: leaseDuration, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	resign := make(chan os.Signal, 1)
	signal.Notify(resign, syscall.SIGUSR1)
	go func() {
		for range resign {
			elector.Resign()
		}
	}()
	gate := serving.NewGate(elector)
	mux := http.NewServeMux()
	mux.Handle("/active", elector.RoleHandler())
	mux.Handle("/who", gate.RequireActive(reach.Who(to.Name)))
	mux.Handle("/stream", gate.RequireActive(http.HandlerFunc(reach.Stream)))
	server := &http.Server{Addr: to.Addr, Handler: mux, ConnState: gate.ConnState, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	return elector.Run(context.Background(), gate.Work(func(ctx context.Context, _ *singleton.Term) error {
		<-ctx.Done()
		return nil
	}))
}
