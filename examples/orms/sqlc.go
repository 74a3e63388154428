package orms

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
)

// dbtx, queries and Bill are what sqlc generates (sql_package: pgx/v5) from
//
//	-- name: Bill :exec
//	UPDATE invoices SET billed = true WHERE id = $1;
type dbtx interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
}

type queries struct{ db dbtx }

func (q *queries) WithTx(tx pgx.Tx) *queries { return &queries{tx} }

func (q *queries) Bill(ctx context.Context, id int64) error {
	_, err := q.db.Exec(ctx, "UPDATE invoices SET billed = true WHERE id = $1", id)
	return err
}

func billWithSqlc(
	ctx context.Context, guard *pgxfence.Guard, token fencing.Token, q *queries, id int64,
) error {
	return guard.InTx(ctx, token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		return q.WithTx(tx).Bill(ctx, id)
	})
}
