package sqlfence

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Connector returns a connector like c. Over its connections a transaction of [Guard.InTx] begins
// in one round trip instead of two: BEGIN and the guard's prepared statement are one message. All
// else goes to c's connections unchanged. Only PostgreSQL benefits. Use Connector in place of
// sql.Open:
//
//	config, err := pgx.ParseConfig(dsn) // github.com/jackc/pgx/v5
//	db := sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config)))
//
//	connector, err := pq.NewConnector(dsn) // github.com/lib/pq
//	db := sql.OpenDB(sqlfence.Connector(connector))
//
// The driver must be able to run several statements in one ExecContext without arguments, as one
// message. Its connections must implement the optional interfaces of database/sql, or connecting
// fails. These drivers will do: pgx v5 (stdlib.GetConnector, GetPoolConnector), and lib/pq from
// v1.11 on.
//
// For each scope a session keeps two prepared statements, or three if it uses a level stricter than
// READ COMMITTED. They are for the last token that the session wrote with. Their names are hotseat_
// and a digest of their text. If they are missing, as in a new session, a transaction takes two
// more round trips, and the server logs an error that there is no such statement. So let the pool
// keep its connections. The statements of a new term replace those of the last term without another
// round trip. Behind a pooler in transaction mode, those of earlier terms may stay until the pooler
// closes the session.
//
// The token is passed to triggers of [Guard.Triggers] only if the database has some. Each
// connection looks for them at its first use, and again after a failed transaction. Once Triggers
// was called on a guard, that guard assumes that there are triggers, and its connections do not
// look. If triggers are created while other processes have open connections, each of these
// connections has one transaction refused.
//
// With lib/pq, transactions of InTx differ from lib/pq's own in three ways:
//   - They fail if default_transaction_read_only is on: lib/pq overrides it, and Connector does
//     not.
//   - [sql.LevelSnapshot] is REPEATABLE READ instead of an error.
//   - The function that InTx runs, fn, may send a statement without InTx's context. Such a
//     statement is not cancelled when that context ends.
//
// [sql.Conn.Raw] hands out a connection of this package. The driver's connection is behind it:
//
//	raw.(interface{ Unwrap() driver.Conn }).Unwrap().(*stdlib.Conn)
//
// Over a pgx pool (stdlib.GetPoolConnector), close the *sql.DB before the pool. A *sql.DB keeps
// idle connections, and Close of the pool waits until all have come back. Package pgxfence needs no
// *sql.DB.
//
// The returned connector is safe for concurrent use if c is.
func Connector(c driver.Connector) driver.Connector { return connector{c} }

type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.Connector == nil {
		return nil, errors.New("sqlfence: the argument of Connector is nil, must be set")
	}
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := inner.(fullConn)
	if !ok {
		_ = inner.Close()
		return nil, fmt.Errorf("sqlfence: the connections of Connector are %T, which have no %s"+
			" (see database/sql/driver): "+
			"use a newer driver, or do without Connector", inner, missing(inner))
	}
	if v, ok := inner.(driver.Validator); ok {
		return struct {
			*conn
			driver.Validator
		}{&conn{fullConn: able}, v}, nil
	}
	return &conn{fullConn: able}, nil
}

// Close is called when the pool is closed.
func (c connector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// fullConn has all that database/sql looks for in a connection, except Validator.
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

// missing names a method of fullConn that c does not have.
func missing(c driver.Conn) string {
	for m := range reflect.TypeFor[fullConn]().Methods() {
		if _, has := reflect.TypeOf(c).MethodByName(m.Name); !has {
			return m.Name
		}
	}
	return "method of these types"
}
