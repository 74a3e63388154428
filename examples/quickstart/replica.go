package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// replicaConfig is what a replica is told, as one line on its standard input.
type replicaConfig struct {
	Name      string
	API       access
	Namespace string
	Lease     string
	Ledger    string // URL
	Timing    lease.Timing
	Write     time.Duration
	Verbose   bool
	Page      bool // it serves its status page
}

const statusPeriod = 200 * time.Millisecond

// replica is one candidate: what a service's process would be.
type replica struct {
	replicaConfig
	ledger *ledgerClient
	pid    int
	wrote  int // records decided so far; terms of one process follow each other
}

// runReplica is the whole life of a replica process. SIGTERM stops it
// gracefully; the end of standard input, at once.
func runReplica() error {
	var config replicaConfig
	if err := proc.Told(&config); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	client, err := config.API.client()
	if err != nil {
		return err
	}
	r := &replica{
		replicaConfig: config, pid: os.Getpid(),
		ledger: &ledgerClient{url: config.Ledger, http: &http.Client{Transport: &http.Transport{}}},
	}
	logger := slog.New(slog.DiscardHandler)
	if config.Verbose {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: brief}))
	}
	elector, err := singleton.New(client, singleton.Config{
		Name: config.Lease, Namespace: config.Namespace, Replica: singleton.ReplicaConfig{Identity: config.Name},
		Timing: config.Timing,
		Guards: []fencing.Guard{r.ledger},
		Logger: logger,
	})
	if err != nil {
		return err
	}

	if config.Page {
		stop, err := r.servePage(elector)
		if err != nil {
			return fmt.Errorf("serving the page: %w", err)
		}
		defer func() { _ = stop() }()
	}
	var reporting sync.WaitGroup
	reportCtx, stopReporting := context.WithCancel(context.Background())
	reporting.Go(func() { r.reportStatus(reportCtx, elector) })
	err = elector.Run(ctx, r.work)
	stopReporting()
	reporting.Wait()
	return err
}

// work appends to the ledger until ctx ends: check, then write, as services do.
//
// Nothing between check and write looks at ctx again. That stands for a write
// that can no longer be called back: handed to the kernel, to a proxy, to a
// queue. If the process is frozen in between, the write comes out after the
// thaw, whatever the elector knows by then; only the ledger's guard can refuse
// it. A client that passes ctx down makes that rarer and never impossible.
func (r *replica) work(ctx context.Context, term *singleton.Term) error {
	r.report(event{Kind: kindAcquired, Token: term.Token()})
	defer func() {
		r.report(event{Kind: kindEnded, Token: term.Token(), Text: fmt.Sprint(context.Cause(ctx))})
	}()
	for ctx.Err() == nil {
		token, _ := fencing.FromContext(ctx)
		r.wrote++
		r.report(event{Kind: kindDecided, Token: token, N: r.wrote})
		time.Sleep(r.Write) // the actual work on the record
		r.report(r.write(context.WithoutCancel(ctx), token))
	}
	return nil
}

// write sends the record decided last, and returns what came of it.
func (r *replica) write(ctx context.Context, token fencing.Token) event {
	// Half of the stop budget leaves time to return within it.
	ctx, cancel := context.WithTimeout(ctx, r.Timing.StopBudget()/2)
	defer cancel()
	outcome := event{Kind: kindWritten, Token: token, N: r.wrote}
	err := r.ledger.append(ctx, token, record{Replica: r.Name, PID: r.pid, N: r.wrote})
	var stale *fencing.StaleError
	switch {
	case err == nil:
		return outcome
	case errors.Is(err, fencing.ErrUnavailable):
		outcome.Kind = kindUnanswered
	case errors.As(err, &stale):
		outcome.Kind, outcome.Stale, outcome.Mark = kindRefused, true, stale.Mark
	default:
		outcome.Kind = kindRefused
	}
	outcome.Text = err.Error()
	return outcome
}

func (r *replica) reportStatus(ctx context.Context, elector *singleton.Elector) {
	ticker := time.NewTicker(statusPeriod)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s := elector.Status()
		r.report(event{Kind: kindStatus, State: s.State.String(), Token: s.Token, Valid: s.ValidFor})
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// brief leaves out of the log what is the same on every line of the story.
func brief(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, "namespace", "lease":
		return slog.Attr{}
	}
	return a
}

// report tells the story. One Write per line: goroutines do not mix.
func (r *replica) report(e event) {
	e.At, e.Replica, e.PID = now(), r.Name, r.pid
	line, err := json.Marshal(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		return
	}
	_, _ = os.Stdout.Write(append(line, '\n')) // without a reader the lifeline ends us
}
