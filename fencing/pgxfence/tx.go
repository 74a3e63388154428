package pgxfence

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// doubts are what fn may have done to its transaction.
type doubts struct {
	ended, rolledBack bool
	over              atomic.Bool // InTx has returned, and others may have the connection
}

// use notes a statement that is about to be sent. It fails after the end.
func (d *doubts) use(statement string, args ...any) error {
	if d.over.Load() {
		return pgx.ErrTxClosed
	}
	d.ended = d.ended || sqlfence.EndsTransaction(statement) || rewritten(args)
	return nil
}

// rewritten reports whether pgx may send another statement instead. Its own named arguments change
// nothing but the arguments.
func rewritten(args []any) bool {
	for _, arg := range args {
		switch arg.(type) {
		case pgx.NamedArgs, pgx.StrictNamedArgs:
		case pgx.QueryRewriter:
			return true
		}
	}
	return false
}

// watched is the driver's transaction, or a nested one. It notes statements that may end the outer
// transaction, because a COMMIT alone would not report that. It refuses what comes after the end.
type watched struct {
	pgx.Tx
	doubts *doubts
}

func (w *watched) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := w.doubts.use(""); err != nil {
		return nil, err
	}
	tx, err := w.Tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &watched{tx, w.doubts}, nil
}

func (w *watched) Exec(
	ctx context.Context, statement string, args ...any,
) (pgconn.CommandTag, error) {
	if err := w.doubts.use(statement, args...); err != nil {
		return pgconn.CommandTag{}, err
	}
	return w.Tx.Exec(ctx, statement, args...)
}

func (w *watched) Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error) {
	if err := w.doubts.use(statement, args...); err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
	}
	return w.Tx.Query(ctx, statement, args...)
}

func (w *watched) QueryRow(ctx context.Context, statement string, args ...any) pgx.Row {
	if err := w.doubts.use(statement, args...); err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).QueryRow()
	}
	return w.Tx.QueryRow(ctx, statement, args...)
}

func (w *watched) Prepare(
	ctx context.Context, name, statement string,
) (*pgconn.StatementDescription, error) {
	if err := w.doubts.use(statement); err != nil {
		return nil, err
	}
	return w.Tx.Prepare(ctx, name, statement)
}

func (w *watched) CopyFrom(
	ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource,
) (int64, error) {
	if err := w.doubts.use(""); err != nil {
		return 0, err
	}
	return w.Tx.CopyFrom(ctx, table, columns, rows)
}

func (w *watched) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		if err := w.doubts.use(q.SQL, q.Arguments...); err != nil {
			return pgx.FailedBatchResults(b, err)
		}
	}
	return w.Tx.SendBatch(ctx, b)
}

// Commit releases the savepoint of a nested transaction.
func (w *watched) Commit(ctx context.Context) error {
	if err := w.doubts.use(""); err != nil {
		return err
	}
	return w.Tx.Commit(ctx)
}

// Rollback rolls back to the savepoint of a nested transaction.
func (w *watched) Rollback(ctx context.Context) error {
	if err := w.doubts.use(""); err != nil {
		return err
	}
	return w.Tx.Rollback(ctx)
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
	return t.watched.Rollback(ctx)
}
