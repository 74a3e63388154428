package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// spec is what a replica is told when it starts.
type spec struct {
	Server, Pod, Listen string
	Guard               string // empty: there is none
}

// timing is shorter than the default, because the alerts are faster. It is long enough for a machine
// that does much else.
func timing() lease.Timing {
	return lease.Timing{
		LeaseDuration: 9 * time.Second, RenewDeadline: 6 * time.Second, RetryPeriod: time.Second,
	}
}

// runReplica is the process of a replica. It serves its metrics, /readyz, and what the story does to
// it: /resign ends the term, and /stick and /unstick set whether work ignores its end.
func runReplica() error {
	var s spec
	if err := proc.Told(&s); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := singleton.NewClient(&rest.Config{Host: s.Server, BearerToken: s.Pod})
	if err != nil {
		return err
	}
	config := singleton.Config{
		Namespace: namespace, Name: leaseName, Timing: timing(), Evidence: processes{},
		Replica: singleton.ReplicaConfig{Identity: s.Pod, HoldOff: time.Second},
		Fencing: singleton.FencingConfig{AnnouncePeriod: time.Second, Settle: 100 * time.Millisecond},
	}
	if s.Guard != "" {
		guard, err := httpfence.NewRemote(s.Guard, nil)
		if err != nil {
			return err
		}
		config.Guards = []fencing.Guard{guard}
	}
	elector, err := singleton.New(client, config)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(elector)
	var stuck atomic.Bool
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := elector.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/resign", func(http.ResponseWriter, *http.Request) { elector.Resign() })
	mux.HandleFunc("/stick", func(http.ResponseWriter, *http.Request) { stuck.Store(true) })
	mux.HandleFunc("/unstick", func(http.ResponseWriter, *http.Request) { stuck.Store(false) })
	server := &http.Server{Addr: s.Listen, Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	defer func() { _ = server.Close() }()
	return elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
		<-ctx.Done()
		for stuck.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	})
}

// processes are evidence for replicas that are processes of one machine: a holder is dead when its
// process is gone.
type processes struct{}

func (processes) Identify(context.Context) (string, error) {
	started, err := startOf(fmt.Sprint(os.Getpid()))
	return fmt.Sprintf("%d/%s", os.Getpid(), started), err
}

func (p processes) Await(ctx context.Context, identity string) error {
	for {
		if dead, err := p.Dead(ctx, identity); dead || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (processes) Dead(_ context.Context, identity string) (bool, error) {
	pid, started, ok := strings.Cut(identity, "/")
	if !ok {
		return false, fmt.Errorf("identity %q: must be PID/START", identity)
	}
	now, err := startOf(pid)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return err == nil && now != started, err
}

// startOf is when a process began, in ticks since the machine did.
func startOf(pid string) (string, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%s/stat: %q", pid, stat)
	}
	return fields[19], nil
}
