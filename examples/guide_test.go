package examples

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// The guide shows parts of this file to the letter; TestGoInTheDocsIsCompiled compares.

type ledger struct {
	guard *fencing.Memory
	mu    sync.Mutex
	lines []string
}

func (l *ledger) append(ctx context.Context, token fencing.Token, line string) error {
	ctx, leave, err := l.guard.Enter(ctx, token) // *fencing.StaleError: a write of an older term
	if err != nil {
		return err
	}
	defer leave() // the guard admits a newer term only after this
	return l.write(ctx, line)
}

// write writes the line, or returns an error: never both.
func (l *ledger) write(ctx context.Context, line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.lines = append(l.lines, line)
	return nil
}

func TestLedger(t *testing.T) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	l := &ledger{guard: guard}
	old := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 7, Term: strings.Repeat("0a", 16)}
	next := old
	next.Epoch, next.Term = 8, strings.Repeat("0b", 16)
	require.NoError(t, l.append(t.Context(), old, "one"))
	require.NoError(t, guard.Announce(t.Context(), next))
	require.ErrorIs(t, l.append(t.Context(), old, "late"), fencing.ErrStale)
	require.NoError(t, l.append(t.Context(), next, "two"))
	require.Equal(t, []string{"one", "two"}, l.lines)
}

// start runs a replica until the test ends.
func start(t *testing.T, cluster *singletontest.Cluster, name string) *singleton.Elector {
	elector, err := singleton.New(cluster.Client(name), singleton.Config{
		Namespace: "shop", Name: "invoicer",
		Replica: singleton.ReplicaConfig{Identity: name},
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { done <- elector.Run(ctx, work) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	return elector
}

// work is the service's own.
func work(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

func TestAnotherReplicaTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time is virtual: this takes milliseconds
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)

		a := start(t, cluster, "a")
		first, err := a.WaitActive(t.Context())
		require.NoError(t, err)
		b := start(t, cluster, "b")

		cluster.Link("a").BlackHole() // a is partitioned
		second, err := b.WaitActive(t.Context())
		require.NoError(t, err)
		require.False(t, a.IsActive())
		require.Greater(t, second.Token().Epoch, first.Token().Epoch)
	})
}

func TestServiceStartsAtOnce(t *testing.T) {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	t.Cleanup(cluster.Close)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := start(t, cluster, "a").WaitActive(ctx)
	require.NoError(t, err)
}

func TestServiceInAStorm(t *testing.T) {
	singletontest.Storm(t, func(ctx context.Context, r *singletontest.Replica) error {
		elector, err := singleton.New(r.Client, singleton.Config{
			Namespace: r.Namespace, Name: r.Lease,
			Replica: singleton.ReplicaConfig{Identity: r.Name},
		})
		if err != nil {
			return err
		}
		return elector.Run(ctx, r.Work(work)) // work is the service's own
	})
}

func TestServiceWithAGuardInAStorm(t *testing.T) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{}) // shared by all replicas
	require.NoError(t, err)
	singletontest.Storm(t, func(ctx context.Context, r *singletontest.Replica) error {
		scope := fencing.Scope(r.Namespace, r.Lease)
		elector, err := singleton.New(r.Client, singleton.Config{
			Namespace: r.Namespace, Name: r.Lease,
			Guards:  []fencing.Guard{guard},
			Replica: singleton.ReplicaConfig{Identity: r.Name},
			Fencing: singleton.FencingConfig{
				// Each script has a new API server.
				Floor: func(ctx context.Context) (int64, error) {
					mark, err := guard.Mark(ctx, scope)
					return mark.Epoch, err
				},
			},
		})
		if err != nil {
			return err
		}
		return elector.Run(ctx, r.Work(work)) // work is the service's own
	})
}

// metricsOf gives each replica of a test a registry of its own.
func metricsOf(elector *singleton.Elector) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(elector)
	return registry
}

// Two electors of one Lease have the same metrics, with the same labels.
func TestTwoElectorsNeedTwoRegistries(t *testing.T) {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	replica := func(name string) *singleton.Elector {
		elector, err := singleton.New(cluster.Client(name), singleton.Config{Namespace: "shop", Name: "invoicer"})
		require.NoError(t, err)
		return elector
	}
	shared := metricsOf(replica("a"))
	require.Panics(t, func() { shared.MustRegister(replica("b")) })
	metricsOf(replica("b"))
}

// timings of a service that rides out a minute without an API server.
func patient() singleton.Config {
	return singleton.Config{
		Name: "invoicer",
		Timing: lease.Timing{
			LeaseDuration: 120 * time.Second,
			RenewDeadline: 100 * time.Second,
			RetryPeriod:   5 * time.Second,
		},
	}
}

func TestPatient(t *testing.T) {
	config := patient()
	config.Namespace = "shop"
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	_, err := singleton.New(cluster.Client("a"), config)
	require.NoError(t, err)
}

// once is for a program whose parts cannot start a second time.
func once(ctx context.Context, client *singleton.Client) error {
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer", OneTerm: true})
	if err != nil {
		return err
	}
	err = elector.Run(ctx, work)
	if end, ok := errors.AsType[*singleton.EndError](err); ok {
		slog.Error("the term ended, and so does this process", "reason", end.Reason)
	}
	return err // the Lease is released by now
}

var _ = once
