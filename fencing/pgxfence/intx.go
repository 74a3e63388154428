package pgxfence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// InTx runs fn in a transaction that carries t, and commits the transaction when fn returns nil. No
// newer term is admitted meanwhile: [Guard.Announce] of a newer token waits for the transaction.
// Transactions of older tokens that begin after the announcement are refused. Transactions with the
// same token do not wait for each other. If t is newer than the mark, InTx announces it first.
//
// The transaction begins in one round trip, as one without a guard does: BEGIN and the guard's
// prepared statements are one message. The first transaction on a new connection takes three more:
// one to look for triggers of [Guard.Triggers], and two to prepare the statements.
//
// Rules for fn:
//   - It must not commit: Commit of its pgx.Tx is refused. After Rollback, InTx returns an error,
//     and nothing was written. A COMMIT that fn sends as a statement ends the lock; InTx then
//     returns [ErrCommitUnknown].
//   - It must not use the transaction after it has returned. Such a call fails with
//     pgx.ErrTxClosed.
//   - It must return the error of any failed statement, except within a nested transaction (Begin
//     of its pgx.Tx) that it rolls back.
//   - It must close the rows that it opened.
//   - It must not wait for another InTx. The other InTx may be queued behind the announcement of a
//     newer term, and the announcement waits for fn's transaction. If the inner InTx gets fn's
//     context and has the same scope and pool, it is refused at once.
//
// If fn fails or panics, all is rolled back. InTx returns fn's error unchanged, and does not run fn
// again. As everywhere in pgx, a context that ends in the middle of a statement closes the
// connection.
//
// The zero value of opts means the session's defaults. Every isolation level will do: fn sees all
// that earlier terms wrote in fenced transactions. Options that are read-only or deferrable, or
// that bring their own statements, are errors. If the beginning of the transaction fails because of
// a deadlock, or of an announcement of the same term, InTx begins again; fn has not run yet.
//
// For a zero t, InTx returns [fencing.ErrMissing], unless ctx allows unfenced writes
// ([fencing.AllowUnfenced]). Then InTx checks nothing and waits for nothing. Other errors are
//   - an error of the guard: nothing was written, and fn was not called.
//   - fn's error: nothing was written.
//   - [ErrCommitUnknown]: all or nothing was written. If fn had sent a COMMIT of its own, a part
//     may have been written.
//   - any other error: nothing was written. The database refused the commit (a deferred
//     constraint, a serialization failure, an error that fn swallowed), fn rolled back, or ctx had
//     ended.
func (g *Guard) InTx(
	ctx context.Context, t fencing.Token, opts pgx.TxOptions,
	fn func(context.Context, pgx.Tx) error,
) error {
	return fencing.Report(ctx, g.inTx(ctx, t, opts, fn))
}

func (g *Guard) inTx(
	ctx context.Context, t fencing.Token, opts pgx.TxOptions,
	fn func(context.Context, pgx.Tx) error,
) error {
	words, err := beginning(opts)
	if err != nil {
		return err
	}
	inner, leave, err := g.core.Nest(ctx, g.pool, t.Scope)
	if err != nil {
		return err
	}
	defer leave()
	f := &fenced{guard: g, token: t}
	if fencing.Unfenced(ctx, t) {
		err = f.beginUnfenced(ctx, words)
	} else {
		err = g.core.Enter(ctx, t, func() error { return f.begin(ctx, words, opts.IsoLevel) })
	}
	if err != nil {
		return err
	}
	defer f.close(ctx) // it also ends the transaction when fn panics
	if err := fn(inner, &top{watched{f.tx, &f.doubts}}); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pgxfence: not committed: %w", context.Cause(ctx))
	}
	return f.commit(ctx)
}

// fenced is a transaction of InTx, with its connection.
type fenced struct {
	guard     *Guard
	token     fencing.Token
	conn      *pgxpool.Conn
	tx        pgx.Tx
	doubts    doubts
	committed bool
}

// begin leaves no connection behind if it fails.
func (f *fenced) begin(ctx context.Context, words string, level pgx.TxIsoLevel) error {
	conn, err := f.guard.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	err = f.guard.core.Begin(ctx, session{conn}, known(conn), f.token, isolation(level),
		func(lock string) error {
			f.tx, err = conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: words + "; " + lock})
			if err != nil {
				backOut(ctx, conn)
			}
			return err
		})
	if err != nil {
		conn.Release()
		return err
	}
	f.conn = conn
	return nil
}

func (f *fenced) beginUnfenced(ctx context.Context, words string) error {
	conn, err := f.guard.pool.Acquire(ctx)
	if err == nil {
		f.conn = conn
		f.tx, err = conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: words})
	}
	if err != nil {
		if f.conn != nil {
			f.conn.Release()
		}
		return fmt.Errorf("%w: pgxfence: begin: %w", fencing.ErrUnavailable, err)
	}
	if err := f.guard.core.Declare(ctx, session{f.tx}); err != nil {
		f.close(ctx)
		return err
	}
	return nil
}

// backOut ends a transaction of which not every statement of its beginning succeeded.
func backOut(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().PgConn().TxStatus() == idle {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, _ = conn.Exec(ctx, "ROLLBACK") // else the pool closes the connection
}

// What TxStatus of a connection says.
const (
	idle   = 'I' // no transaction is open
	failed = 'E'
)

// commit commits what fn wrote under the lock.
func (f *fenced) commit(ctx context.Context) error {
	switch status := f.conn.Conn().PgConn().TxStatus(); {
	case status == failed:
		return fmt.Errorf("pgxfence: not committed: fn returned nil after a statement had failed: %w",
			pgx.ErrTxCommitRollback)
	case f.doubts.rolledBack:
		return fmt.Errorf("pgxfence: not committed: fn rolled back: %w", pgx.ErrTxClosed)
	case status == idle:
		return fmt.Errorf("%w: pgxfence: fn has ended its transaction", ErrCommitUnknown)
	}
	var err error
	if f.doubts.ended && f.token != (fencing.Token{}) {
		_, err = f.conn.Exec(ctx, f.guard.core.Held(f.token)+"; COMMIT")
	} else {
		err = f.tx.Commit(ctx)
	}
	if err != nil && (pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxCommitRollback)) {
		return fmt.Errorf("pgxfence: not committed: %w", err) // in the first case, nothing was sent
	}
	f.committed = err == nil
	return sqlfence.CommitError(err)
}

// close rolls back what was not committed, and gives the connection back. If the rollback fails,
// pgx has closed the connection, and the server ends the transaction.
func (f *fenced) close(ctx context.Context) {
	f.doubts.over.Store(true)
	if !f.committed {
		known(f.conn).RolledBack()
		_ = rollback(ctx, f.tx)
	}
	f.conn.Release()
}

// known is what guards know of a connection. It is kept there.
func known(conn *pgxpool.Conn) *sqlfence.Known {
	const key = "github.com/hotseat-go/hotseat/fencing/pgxfence"
	data := conn.Conn().PgConn().CustomData()
	k, ok := data[key].(*sqlfence.Known)
	if !ok {
		k = &sqlfence.Known{}
		data[key] = k
	}
	return k
}

func isolation(level pgx.TxIsoLevel) sql.IsolationLevel {
	switch level {
	case pgx.ReadUncommitted:
		return sql.LevelReadUncommitted
	case pgx.ReadCommitted:
		return sql.LevelReadCommitted
	case pgx.RepeatableRead:
		return sql.LevelRepeatableRead
	case pgx.Serializable:
		return sql.LevelSerializable
	default:
		return sql.LevelDefault
	}
}
