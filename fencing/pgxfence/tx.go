package pgxfence

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// doubts are what fn may have done to its transaction.
type doubts struct{ ended, rolledBack bool }

func (d *doubts) note(statement string) {
	d.ended = d.ended || sqlfence.EndsTransaction(statement)
}

// watched is the driver's transaction, or a nested one. It notes statements that may end the outer
// one: a COMMIT alone would not report that.
type watched struct {
	pgx.Tx
	doubts *doubts
}

func (w *watched) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := w.Tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &watched{tx, w.doubts}, nil
}

func (w *watched) Exec(
	ctx context.Context, statement string, args ...any,
) (pgconn.CommandTag, error) {
	w.doubts.note(statement)
	return w.Tx.Exec(ctx, statement, args...)
}

func (w *watched) Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error) {
	w.doubts.note(statement)
	return w.Tx.Query(ctx, statement, args...)
}

func (w *watched) QueryRow(ctx context.Context, statement string, args ...any) pgx.Row {
	w.doubts.note(statement)
	return w.Tx.QueryRow(ctx, statement, args...)
}

func (w *watched) Prepare(
	ctx context.Context, name, statement string,
) (*pgconn.StatementDescription, error) {
	w.doubts.note(statement)
	return w.Tx.Prepare(ctx, name, statement)
}

func (w *watched) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		w.doubts.note(q.SQL)
	}
	return w.Tx.SendBatch(ctx, b)
}

// Conn hands out the connection itself, and nobody knows what for.
func (w *watched) Conn() *pgx.Conn {
	w.doubts.ended = true
	return w.Tx.Conn()
}

// top is the transaction that fn gets.
type top struct{ watched }

// Commit is refused: InTx commits.
func (t *top) Commit(context.Context) error {
	return errors.New("pgxfence: fn must not commit its transaction: InTx does, when fn returns nil")
}

// Rollback rolls back, and InTx will say so.
func (t *top) Rollback(ctx context.Context) error {
	t.doubts.rolledBack = true
	return t.Tx.Rollback(ctx)
}
