package pgxfence

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// session is a [sqlfence.Session] over a pool, a connection or a transaction.
type session struct{ querier }

type querier interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

func (s session) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	tag, err := s.querier.Exec(ctx, statement, args...)
	return tag.RowsAffected(), err
}

// Query prepares nothing if there are no arguments, so that a pooler may be between.
func (s session) Query(ctx context.Context, statement string, args ...any) ([][]any, error) {
	if len(args) == 0 {
		args = []any{pgx.QueryExecModeSimpleProtocol}
	}
	rows, err := s.querier.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
}

// client is a [sqlfence.Client] over a pool.
type client struct {
	session
	pool *pgxpool.Pool
}

// Begin begins the transaction of an announcement.
func (c client) Begin(ctx context.Context) (sqlfence.Transaction, error) {
	tx, err := c.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, err
	}
	return announcement{session{tx}, tx}, nil
}

type announcement struct {
	session
	tx pgx.Tx
}

func (a announcement) Commit(ctx context.Context) error { return a.tx.Commit(ctx) }

func (a announcement) Rollback(ctx context.Context) error { return rollback(ctx, a.tx) }

// rollback ends tx also if ctx has ended.
func rollback(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return tx.Rollback(ctx)
}

// patience bounds a rollback after the caller's context has ended. Then the connection is closed.
const patience = 5 * time.Second
