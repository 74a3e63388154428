package sqlfence

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// transaction is the transaction of fn. MySQL ends some transactions by itself, for instance the
// victim of a deadlock. If fn goes on then, each of its statements would commit at once, under no
// lock. So the connection has autocommit off meanwhile. A savepoint, which ends with its
// transaction, shows whether the transaction is still the one that took the lock. SQLite has the
// savepoint too: it costs next to nothing there.
type transaction struct {
	*sql.Tx
	guard *Guard
	conn  *sql.Conn // MySQL's
	ended bool      // we ended it, and the database confirmed that
}

// open begins a transaction. If it fails, there is nothing to close.
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

// mysqlLimits returns assignments that bound how long a client may stand still: in a result, in
// what it sends and, in MariaDB, which reads the comment, between statements. Zero bounds nothing.
func mysqlLimits(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
	return ", net_write_timeout = " + s + ", net_read_timeout = " + s +
		" /*M!100301 , idle_transaction_timeout = " + s + " */"
}

// mysqlUnlimited takes these limits back.
func mysqlUnlimited(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return ", net_write_timeout = DEFAULT, net_read_timeout = DEFAULT" +
		" /*M!100301 , idle_transaction_timeout = DEFAULT */"
}

// mark sets the savepoint. It is called with the lock taken.
func (t *transaction) mark(ctx context.Context) error {
	if t.guard.speak == PostgreSQL {
		return nil
	}
	if _, err := t.ExecContext(ctx, "SAVEPOINT hotseat_fence"); err != nil {
		return t.guard.unavailable("savepoint", err)
	}
	return nil
}

// commit commits what fn wrote under the lock. It commits nothing that fn wrote without the lock.
func (t *transaction) commit(ctx context.Context) error {
	if t.guard.speak != PostgreSQL {
		if _, err := t.ExecContext(ctx, "RELEASE SAVEPOINT hotseat_fence"); err != nil {
			return fmt.Errorf("%w: the database has ended the transaction before its commit: %w",
				ErrCommitUnknown, err)
		}
	}
	err := t.Commit()
	t.ended = err == nil
	return commitError(err)
}

// close rolls back what was not committed. If it is not sure how the transaction ended, it closes
// the connection: switching autocommit on again would commit an open transaction.
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
		reset := "SET autocommit = 1" + mysqlUnlimited(t.guard.idle)
		if _, err := t.conn.ExecContext(ctx, reset); err == nil {
			_ = t.conn.Close()
			return
		}
	}
	discard(t.conn)
}
