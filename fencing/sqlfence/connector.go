package sqlfence

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
)

// Connector returns a connector like c, over whose connections a transaction of [Guard.InTx] begins in one round trip instead of two:
// BEGIN and the fence, prepared, are one message. All else goes to c's connections as it is. Only PostgreSQL gains by it. It takes the place of
// sql.Open:
//
//	config, err := pgx.ParseConfig(dsn) // github.com/jackc/pgx/v5
//	db := sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config)))
//
//	connector, err := pq.NewConnector(dsn) // github.com/lib/pq
//	db := sql.OpenDB(sqlfence.Connector(connector))
//
// The driver must run what ExecContext gets without arguments as one message of several statements, and its connections must
// implement what database/sql looks for, or connecting fails: pgx v5 (stdlib.GetConnector, GetPoolConnector) and lib/pq from v1.11 on do.
//
// Each session keeps two prepared statements for each scope, of the token that it wrote with last, and
// one more for what is stricter than READ COMMITTED. They are named hotseat_ and a digest of what they
// say. Where they are missing, as they are at first, two round trips more are taken, and the server logs
// an error, that there is no such statement; a new term's take the place of the last one's at no round
// trip. So let the pool keep its connections. Behind a pooler of transactions those of earlier terms
// may stay, until it closes its session.
//
// With lib/pq three things in InTx differ from its own transactions: where default_transaction_read_only is on they fail, because lib/pq
// overrides it and Connector does not; [sql.LevelSnapshot] is REPEATABLE READ instead of an error; and what fn sends without InTx's
// context is not cancelled when that ends.
//
// What [sql.Conn.Raw] hands out is a connection of this package. The driver's is behind it:
//
//	raw.(interface{ Unwrap() driver.Conn }).Unwrap().(*stdlib.Conn)
//
// Safe for concurrent use if c is.
func Connector(c driver.Connector) driver.Connector { return connector{c} }

type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.Connector == nil {
		return nil, errors.New("sqlfence: what Connector was given is nil, must be set")
	}
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := inner.(fullConn)
	if !ok {
		_ = inner.Close()
		return nil, fmt.Errorf("sqlfence: the connections of Connector are %T, which have no %s (see database/sql/driver): "+
			"use a newer driver, or do without Connector", inner, missing(inner))
	}
	if v, ok := inner.(driver.Validator); ok {
		return struct {
			*conn
			driver.Validator
		}{&conn{fullConn: able, prepared: map[string]*lock{}}, v}, nil
	}
	return &conn{fullConn: able, prepared: map[string]*lock{}}, nil
}

// Close is called by the pool's own.
func (c connector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// fullConn is all that database/sql looks for in a connection, but Validator.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
}

// missing names a method of fullConn that c has not.
func missing(c driver.Conn) string {
	for m := range reflect.TypeFor[fullConn]().Methods() {
		if _, has := reflect.TypeOf(c).MethodByName(m.Name); !has {
			return m.Name
		}
	}
	return "method of these types"
}

type conn struct {
	fullConn

	// The plain lock that the session has prepared, by whose tokens it is among, as far as one knows:
	// behind a pooler others may have the session meanwhile.
	prepared map[string]*lock

	// What may have happened in the open transaction, of which a COMMIT by itself tells nothing.
	now doubts
	// What may happen in each, because a statement was prepared, or the driver's own connection handed out.
	later doubts
}

// doubts are about a transaction: whether a statement of it failed, and whether it was ended.
type doubts struct{ failed, ended bool }

// Unwrap returns the driver's connection.
func (c *conn) Unwrap() driver.Conn {
	c.later = doubts{true, true}
	c.now = c.later
	return c.fullConn
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.fullConn.ExecContext(ctx, query, args)
	c.now.failed = c.now.failed || err != nil
	c.now.ended = c.now.ended || endsTransactions(query)
	return result, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.now.failed = true // its rows may
	c.now.ended = c.now.ended || endsTransactions(query)
	return c.fullConn.QueryContext(ctx, query, args)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.later.failed = true
	c.later.ended = c.later.ended || endsTransactions(query)
	c.now.failed, c.now.ended = true, c.now.ended || c.later.ended
	return c.fullConn.PrepareContext(ctx, query)
}

// endsTransactions is true for every statement that ends a transaction, and for some that do not.
func endsTransactions(query string) bool {
	for i := range len(query) {
		var word string
		switch query[i] | 0x20 { // in lower case
		case 'a':
			word = "abort"
		case 'c':
			word = "commit"
		case 'e':
			word = "end"
		case 'p':
			word = "prepare"
		case 'r':
			word = "rollback"
		default:
			continue
		}
		if len(query)-i >= len(word) && strings.EqualFold(query[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// entry is what InTx asks of BeginTx by the context.
type entry struct {
	*lock
	tried   bool
	entered atomic.Bool // an open transaction has its lock, and its token is the mark
}

type entryKey struct{}

// BeginTx begins a transaction, and enters it if it is one of InTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	e, ok := ctx.Value(entryKey{}).(*entry)
	level, known := isolation(sql.IsolationLevel(opts.Isolation))
	if !ok || !known || opts.ReadOnly {
		return c.fullConn.BeginTx(ctx, opts)
	}
	e.tried = true
	tx := &enteredTx{ctx, c, e}
	var err error
	ways, strict := e.strict, isStrict(sql.IsolationLevel(opts.Isolation))
	if !strict {
		ways = c.plainWays(e.lock)
	}
	for _, way := range ways {
		var result driver.Result
		if result, err = c.fullConn.ExecContext(ctx, "BEGIN"+level+"; "+way, nil); err == nil {
			var rows int64
			rows, err = result.RowsAffected()
			e.entered.Store(err == nil && rows == 1)
			c.now = c.later
			if !strict && way != e.fast {
				c.prepared[e.among] = e.lock
			}
			return tx, nil
		}
		if err = tx.undo(err); !isOfPrepared(err) { // BEGIN may have been done
			break
		}
	}
	return nil, err
}

// plainWays takes the place of what is prepared for another term.
func (c *conn) plainWays(l *lock) []string {
	last := c.prepared[l.among]
	if last == nil || last.token == l.token {
		return l.plain
	}
	delete(c.prepared, l.among)
	return []string{last.replace + l.plain[1], l.plain[2]}
}

// isOfPrepared: there is no such statement, or one already.
func isOfPrepared(err error) bool {
	state := sqlState(err)
	return (state == "26000" || state == "42P05") && !errors.Is(err, driver.ErrBadConn)
}

// isolation is what BEGIN takes for a level.
func isolation(level sql.IsolationLevel) (words string, known bool) {
	switch level {
	case sql.LevelDefault:
		return "", true
	case sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		return " ISOLATION LEVEL " + strings.ToUpper(level.String()), true
	case sql.LevelSnapshot:
		return " ISOLATION LEVEL REPEATABLE READ", true
	default:
		return "", false
	}
}

// enteredTx is a transaction that the driver does not know to be one.
type enteredTx struct {
	ctx   context.Context // of BeginTx, as drivers keep it
	conn  *conn
	entry *entry
}

// Commit fails when a statement had failed before, or fn has ended the transaction, also if it began another. COMMIT by itself would report no
// error then; what is in front of it does, where that may have been.
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

func (tx *enteredTx) Rollback() error { return tx.undo(nil) }

// undo rolls back, and returns err. If that fails, or the context has ended, it is driver.ErrBadConn too, upon which the pool
// closes the connection, and with that the server ends the transaction.
func (tx *enteredTx) undo(err error) error {
	tx.entry.entered.Store(false)
	failed := tx.ctx.Err() // not every driver would give up waiting for an answer then
	if failed == nil {
		_, failed = tx.conn.fullConn.ExecContext(tx.ctx, "ROLLBACK", nil)
	}
	if failed != nil {
		return fmt.Errorf("%w: %w", driver.ErrBadConn, cmp.Or(err, failed))
	}
	return err
}
