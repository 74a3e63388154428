//go:build unix

package main

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// README example
func bill(ctx context.Context, client coordclient.LeasesGetter, config *pgx.ConnConfig) error {
	db := sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config))) // with other databases sql.Open will do
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL, Scope: fencing.Scope("shop", "invoicer")})
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{Namespace: "shop", Name: "invoicer", Guards: []fencing.Guard{guard}})
	if err != nil {
		return err
	}
	return elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
		token, _ := fencing.FromContext(ctx) // a service loops here: when work returns, so does Run
		return guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true WHERE NOT billed")
			return err
		})
	})
}

// end of README example

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
	cluster := singletontest.New(singletontest.Options{})
	defer cluster.Close()
	_, err = cluster.CreateLease(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}})
	require.NoError(t, err)
	require.NoError(t, bill(t.Context(), cluster.Client("a"), config), "its work returns, and so does it")
	var left int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM invoices WHERE NOT billed").Scan(&left))
	require.Zero(t, left)
}
