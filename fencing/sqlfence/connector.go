package sqlfence

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Connector returns a connector like c, over whose connections a transaction of [Guard.InTx] begins in one round trip instead of two:
// BEGIN and the guard's statement, prepared, are one message. All else goes to c's connections as it is. Only PostgreSQL gains by it. It takes the place of
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
// Triggers of [Guard.Triggers] are told of the token only where the database has some. Each
// connection looks for that when it is first used, and again after a transaction that failed; a guard
// whose Triggers was called does not have to. So where triggers are made under open connections of
// other processes, each of these has one transaction refused.
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
