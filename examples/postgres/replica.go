//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// replicaConfig is what a replica is told, as one line on its standard input.
type replicaConfig struct{ Name, API, DSN string }

const (
	namespace = "shop"
	leaseName = "invoicer"

	leaseDuration = 3 * time.Second // for who watches; the defaults are 15, 10 and 2 s
	renewDeadline = 2 * time.Second
	retryPeriod   = 400 * time.Millisecond

	rendering = 60 * time.Millisecond // how long an invoice takes
	idleLimit = time.Second           // how long a frozen replica's transaction may hold up its successor
)

// newGuard returns the guard that replicas write through, and whose Schema the story runs.
func newGuard(db *sql.DB) (*sqlfence.Guard, error) {
	return sqlfence.New(sqlfence.Config{
		DB: db, Dialect: sqlfence.PostgreSQL, Scope: fencing.Scope(namespace, leaseName), IdleLimit: idleLimit,
	})
}

// openDB makes fenced transactions as quick to begin as others.
func openDB(dsn string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config))), nil
}

// runReplica is the whole life of a replica process, until SIGTERM or the end of
// its standard input.
func runReplica() error {
	var config replicaConfig
	if err := proc.Told(&config); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	db, err := openDB(config.DSN)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	guard, err := newGuard(db)
	if err != nil {
		return err
	}
	client, err := singleton.NewClient(&rest.Config{Host: config.API, BearerToken: config.Name})
	if err != nil {
		return err
	}
	b := &biller{name: config.Name, db: db, guard: guard}
	elector, err := singleton.New(client, singleton.Config{
		Name: leaseName, Namespace: namespace, Replica: singleton.ReplicaConfig{Identity: config.Name},
		Timing: lease.Timing{LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod},
		Guards: []fencing.Guard{guard}, // told of each term's token before its work starts
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return elector.Run(ctx, b.work)
}

// biller bills invoices: each open one gets the next number and a charge.
type biller struct {
	name  string
	db    *sql.DB
	guard *sqlfence.Guard
}

// work bills until the term ends. It keeps the last number in memory, which only
// a singleton may, and the tables have no unique constraint that would save it.
func (b *biller) work(ctx context.Context, term *singleton.Term) error {
	for ctx.Err() == nil {
		last, err := b.lastNumber(ctx)
		for err == nil && ctx.Err() == nil {
			err = b.billNext(ctx, &last)
		}
		b.report("stopped", err)
		switch {
		case errors.Is(err, sqlfence.ErrCommitUnknown), errors.Is(err, fencing.ErrStale), errors.Is(err, fencing.ErrConflict):
			// What is in the tables now, or will be in a moment, nobody here knows. The next term, also of this
			// replica, does: its token is announced before it reads, and that waits for transactions of this term.
			term.Resign()
			<-ctx.Done()
		case err != nil && ctx.Err() == nil:
			time.Sleep(retryPeriod) // nothing was written: begin again
		}
	}
	return nil
}

func (b *biller) lastNumber(ctx context.Context) (last int, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM charges").Scan(&last)
	return last, err
}

// billNext bills the oldest open invoice, or waits for one.
func (b *biller) billNext(ctx context.Context, last *int) error {
	var invoice, cents int
	switch err := b.db.QueryRowContext(ctx, "SELECT id, cents FROM invoices WHERE NOT billed ORDER BY id LIMIT 1").Scan(&invoice, &cents); {
	case errors.Is(err, sql.ErrNoRows):
		time.Sleep(rendering)
		return nil
	case err != nil:
		return err
	}
	b.report(reportRendering, nil)
	time.Sleep(rendering)
	// A replica that was frozen up to here goes on as if nothing had happened; that its context ended meanwhile may
	// come too late, as it would for a write that is already on its way. So the write does not look at it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewDeadline)
	defer cancel()
	token, _ := fencing.FromContext(ctx)
	err := b.guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO charges (number, invoice, cents, epoch, replica, pid) VALUES ($1, $2, $3, $4, $5, $6)",
			*last+1, invoice, cents, token.Epoch, b.name, os.Getpid())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE invoices SET billed = true WHERE id = $1", invoice)
		return err
	})
	if err == nil {
		*last++
	}
	return err
}

// Kinds of report, beside those that only tell how work stopped.
const (
	reportRendering = "rendering"
	reportRefused   = "refused"
)

type report struct {
	Kind, Replica, Text string
	PID                 int
}

// report tells the story what happens here: one line on standard output.
func (b *biller) report(kind string, err error) {
	r := report{Kind: kind, Replica: b.name, PID: os.Getpid()}
	if err != nil {
		r.Text = err.Error()
	}
	if errors.Is(err, fencing.ErrStale) {
		r.Kind = reportRefused
	}
	line, _ := json.Marshal(r)
	_, _ = os.Stdout.Write(append(line, '\n'))
}
