//go:build unix

package main

import (
	"context"
	"database/sql"
	"log"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// the guide's example
func bill(ctx context.Context, client *singleton.Client, config *pgx.ConnConfig) error {
	db := sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config))) // elsewhere sql.Open will do
	guard, err := sqlfence.New(sqlfence.Config{
		DB: db, Dialect: sqlfence.PostgreSQL, Scope: fencing.Scope("shop", "invoicer"),
	})
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{
		Namespace: "shop", Name: "invoicer", Guards: []fencing.Guard{guard},
	})
	if err != nil {
		return err
	}
	return elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
		for ctx.Err() == nil {
			err := guard.InTx(ctx, term.Token(), nil, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true WHERE NOT billed")
				return err
			})
			if err != nil {
				log.Printf("billing: %v", err) // a stale token ends the term, and with it ctx
			}
			wait(ctx, time.Second)
		}
		return nil
	})
}

// end of the guide's example

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func TestReadme(t *testing.T) {
	server := services.Postgres(t)
	db := open(t, server)
	guard, err := newGuard(db)
	require.NoError(t, err)
	for _, statement := range []string{guard.Schema(), "CREATE TABLE invoices (billed BOOLEAN NOT NULL)", "INSERT INTO invoices VALUES (false), (false)"} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	config, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	cluster := singletontest.New(singletontest.Options{Namespace: namespace, Lease: leaseName})
	defer cluster.Close()
	client, err := singleton.NewClient(cluster.RESTConfig("a"))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- bill(ctx, client, config) }()
	billed := func() bool {
		var left int
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM invoices WHERE NOT billed").Scan(&left)
		return err == nil && left == 0
	}
	require.Eventually(t, billed, time.Minute, 10*time.Millisecond)
	_, err = db.ExecContext(t.Context(), "INSERT INTO invoices VALUES (false)")
	require.NoError(t, err)
	require.Eventually(t, billed, time.Minute, 10*time.Millisecond, "it goes on")
	stop()
	require.NoError(t, <-done)
}
