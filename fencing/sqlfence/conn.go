package sqlfence

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

type conn struct {
	fullConn

	known Known

	// What may have happened in the open transaction. A COMMIT alone does not report it.
	now doubts
	// What may happen in every transaction, because a statement was prepared or the driver's own
	// connection was handed out.
	later doubts
}

// doubts about a transaction: whether one of its statements failed, and whether it was ended.
type doubts struct{ failed, ended bool }

// Unwrap returns the driver's connection.
func (c *conn) Unwrap() driver.Conn {
	c.later = doubts{true, true}
	c.now = c.later
	return c.fullConn
}

func (c *conn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	result, err := c.fullConn.ExecContext(ctx, query, args)
	c.now.failed = c.now.failed || err != nil
	c.now.ended = c.now.ended || endsTransactions(query)
	return result, err
}

func (c *conn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	c.now.failed = true // reading its rows may fail
	c.now.ended = c.now.ended || endsTransactions(query)
	return c.fullConn.QueryContext(ctx, query, args)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.later.failed = true
	c.later.ended = c.later.ended || endsTransactions(query)
	c.now.failed, c.now.ended = true, c.now.ended || c.later.ended
	return c.fullConn.PrepareContext(ctx, query)
}

// entry is what InTx asks of BeginTx, through the context.
type entry struct {
	*lock
	tells   bool // pass the token to triggers, whether there seem to be any or not
	tried   bool
	entered atomic.Bool // an open transaction has the lock, and the token is the mark
}

type entryKey struct{}

// BeginTx begins a transaction. For InTx it also takes the lock.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	e, ok := ctx.Value(entryKey{}).(*entry)
	level, known := isolation(sql.IsolationLevel(opts.Isolation))
	if !ok || !known || opts.ReadOnly {
		return c.fullConn.BeginTx(ctx, opts)
	}
	e.tried = true
	l := e.lock
	if !e.tells && !c.known.hasTriggers(func(q string) (int64, error) { return c.ask(ctx, q) }) {
		l = l.quiet
	}
	tx := &enteredTx{ctx, c, e}
	var err error
	ways, strict := l.strict, isStrict(sql.IsolationLevel(opts.Isolation))
	if !strict {
		ways = c.known.plainWays(l)
	}
	for _, way := range ways {
		var result driver.Result
		if result, err = c.fullConn.ExecContext(ctx, "BEGIN"+level+"; "+way, nil); err == nil {
			var rows int64
			rows, err = result.RowsAffected()
			e.entered.Store(err == nil && rows == 1)
			c.now = c.later
			if !strict && way != l.fast {
				c.known.keep(l)
			}
			return tx, nil
		}
		if err = tx.undo(err); !isOfPrepared(err) { // BEGIN may have succeeded
			break
		}
	}
	return nil, err
}

// ask returns how many rows a statement returns, outside of transactions.
func (c *conn) ask(ctx context.Context, statement string) (int64, error) {
	result, err := c.fullConn.ExecContext(ctx, statement, nil)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// isOfPrepared reports whether err says that a prepared statement does not exist, or exists
// already.
func isOfPrepared(err error) bool {
	state := sqlState(err)
	return (state == "26000" || state == "42P05") && !errors.Is(err, driver.ErrBadConn)
}

// isolation returns the words of an isolation level in BEGIN.
func isolation(level sql.IsolationLevel) (words string, known bool) {
	switch level {
	case sql.LevelDefault:
		return "", true
	case sql.LevelReadUncommitted, sql.LevelReadCommitted,
		sql.LevelRepeatableRead, sql.LevelSerializable:
		return " ISOLATION LEVEL " + strings.ToUpper(level.String()), true
	case sql.LevelSnapshot:
		return " ISOLATION LEVEL REPEATABLE READ", true
	default:
		return "", false
	}
}

// enteredTx is a transaction that the driver does not know of.
type enteredTx struct {
	ctx   context.Context // of BeginTx, as drivers keep it
	conn  *conn
	entry *entry
}

// Commit fails if a statement failed before, or if fn has ended the transaction, even if fn began
// another one. A COMMIT alone would report no error then. Where one of these may have happened, the
// statements before the COMMIT report it.
func (tx *enteredTx) Commit() error {
	tx.entry.entered.Store(false)
	end := "COMMIT"
	if doubts := tx.conn.now; doubts.ended {
		end = tx.entry.held + "; SAVEPOINT hotseat_end; COMMIT"
	} else if doubts.failed {
		end = "SAVEPOINT hotseat_end; COMMIT"
	}
	if _, err := tx.conn.fullConn.ExecContext(tx.ctx, end, nil); err != nil {
		return tx.undo(err)
	}
	return nil
}

func (tx *enteredTx) Rollback() error {
	if tx.entry.entered.Load() { // newly created triggers may have refused it
		tx.conn.known.RolledBack()
	}
	return tx.undo(nil)
}

// undo rolls back, and returns err. If the rollback fails, or the context has ended, the error is
// driver.ErrBadConn too. The pool then closes the connection, and the server ends the transaction.
func (tx *enteredTx) undo(err error) error {
	tx.entry.entered.Store(false)
	failed := tx.ctx.Err() // not every driver stops waiting for an answer then
	if failed == nil {
		_, failed = tx.conn.fullConn.ExecContext(tx.ctx, "ROLLBACK", nil)
	}
	if failed != nil {
		return fmt.Errorf("%w: %w", driver.ErrBadConn, cmp.Or(err, failed))
	}
	return err
}
