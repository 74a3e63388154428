package sqlfence

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// transaction is fn's. MySQL ends some by itself, a deadlock's victim for one, and what a function that goes on sends then would be
// written at once, by itself and behind no lock. So there the connection does not commit by itself meanwhile, and a savepoint, which ends with
// its transaction, tells whether that is still the one that took the lock. In SQLite too, where it costs next to nothing.
type transaction struct {
	*sql.Tx
	guard *Guard
	conn  *sql.Conn // MySQL's
	ended bool      // by us, and the database said so
}

// open begins one. With an error there is nothing to close.
func (g *Guard) open(ctx context.Context, opts *sql.TxOptions) (*transaction, error) {
	t := &transaction{guard: g}
	var err error
	if g.speak != MySQL {
		t.Tx, err = g.db.BeginTx(ctx, opts)
		return t, err
	}
	if t.conn, err = g.db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err = t.conn.ExecContext(ctx, "SET autocommit = 0"+mysqlLimits(g.idle)); err == nil {
		t.Tx, err = t.conn.BeginTx(ctx, opts)
	}
	if err != nil {
		discard(t.conn)
	}
	return t, err
}

// mysqlLimits are assignments that bound a client which stands still: in a result, in what it sends, and, where it is MariaDB that reads the
// comment, between statements. Zero bounds nothing.
func mysqlLimits(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
	return ", net_write_timeout = " + s + ", net_read_timeout = " + s + " /*M!100301 , idle_transaction_timeout = " + s + " */"
}

// mysqlUnlimited takes that back.
func mysqlUnlimited(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return ", net_write_timeout = DEFAULT, net_read_timeout = DEFAULT /*M!100301 , idle_transaction_timeout = DEFAULT */"
}

// mark is called with the lock taken.
func (t *transaction) mark(ctx context.Context) error {
	if t.guard.speak == PostgreSQL {
		return nil
	}
	if _, err := t.ExecContext(ctx, "SAVEPOINT hotseat_fence"); err != nil {
		return t.guard.unavailable("savepoint", err)
	}
	return nil
}

// commit commits what fn wrote under the lock, or nothing of what it wrote without.
func (t *transaction) commit(ctx context.Context) error {
	if t.guard.speak != PostgreSQL {
		if _, err := t.ExecContext(ctx, "RELEASE SAVEPOINT hotseat_fence"); err != nil {
			return fmt.Errorf("%w: the database has ended the transaction before its commit: %w", ErrCommitUnknown, err)
		}
	}
	err := t.Commit()
	t.ended = err == nil
	return commitError(err)
}

// close rolls back what was not committed. A connection of which it is not sure how its transaction ended is closed: to have it
// commit by itself again would commit what is open.
func (t *transaction) close() {
	if t.Rollback() == nil {
		t.ended = true
	}
	if t.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the caller's may have ended
	defer cancel()
	if t.ended {
		if _, err := t.conn.ExecContext(ctx, "SET autocommit = 1"+mysqlUnlimited(t.guard.idle)); err == nil {
			_ = t.conn.Close()
			return
		}
	}
	discard(t.conn)
}
