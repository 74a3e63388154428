package sqlfence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// database is a [Client] over database/sql, of any dialect.
type database struct {
	db    *sql.DB
	speak Dialect
}

func (d database) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	return session{d.db}.Exec(ctx, statement, args...)
}

func (d database) Query(ctx context.Context, statement string, args ...any) ([][]any, error) {
	return session{d.db}.Query(ctx, statement, args...)
}

// Begin begins the transaction of an announcement.
func (d database) Begin(ctx context.Context) (Transaction, error) {
	if d.speak == PostgreSQL { // its settings end with the transaction
		tx, err := d.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		return announcement{session{tx}, tx, func() {}}, err
	}
	conn, release, err := d.announcer(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		release()
		return nil, err
	}
	return announcement{session{tx}, tx, release}, nil
}

// announcer returns a connection for an announcement. In SQLite, its commits are on the disk before
// anybody sees them, whatever other connections do. In MySQL, it does not hold its lock for long if
// this process stands still in the middle.
func (d database) announcer(ctx context.Context) (_ *sql.Conn, release func(), _ error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	const keep = "SET @hotseat_token = @hotseat_token"
	set, reset := keep+mysqlLimits(patience), keep+mysqlUnlimited(patience)
	if d.speak == SQLite {
		var before int
		err = conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&before)
		set, reset = "PRAGMA synchronous = EXTRA", fmt.Sprintf("PRAGMA synchronous = %d", before)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, set)
	}
	if err != nil {
		discard(conn)
		return nil, nil, err
	}
	return conn, func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // the caller's may have ended
		defer cancel()
		if _, err := conn.ExecContext(ctx, reset); err != nil {
			discard(conn)
			return
		}
		_ = conn.Close()
	}, nil
}

func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}

// announcement is the transaction of one.
type announcement struct {
	session
	tx      *sql.Tx
	release func()
}

func (a announcement) Commit(context.Context) error { return a.tx.Commit() }

func (a announcement) Rollback(context.Context) error {
	defer a.release()
	return a.tx.Rollback()
}

// session is a [Session] over a *sql.DB, a *sql.Conn or a *sql.Tx.
type session struct{ querier }

type querier interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

func (s session) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, nil //nolint:nilerr // the driver does not count
	}
	return n, nil
}

func (s session) Query(ctx context.Context, statement string, args ...any) ([][]any, error) {
	rows, err := s.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}
