package sqlfence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

// transaction is fn's. MySQL ends some by itself, a deadlock's victim for one, and what a function that goes on sends then would be
// written at once, by itself and behind no lock. So there the connection does not commit by itself meanwhile, and a savepoint, which ends with
// its transaction, tells whether that is still the one that took the lock.
type transaction struct {
	*sql.Tx
	conn  *sql.Conn // MySQL's
	ended bool      // by us, and the database said so
}

// open begins one. With an error there is nothing to close.
func (g *Guard) open(ctx context.Context, opts *sql.TxOptions) (*transaction, error) {
	t := &transaction{}
	var err error
	if g.speak != MySQL {
		t.Tx, err = g.db.BeginTx(ctx, opts)
		return t, err
	}
	if t.conn, err = g.db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err = t.conn.ExecContext(ctx, "SET autocommit = 0"); err == nil {
		t.Tx, err = t.conn.BeginTx(ctx, opts)
	}
	if err != nil {
		t.discard()
	}
	return t, err
}

// mark is called with the lock taken.
func (t *transaction) mark(ctx context.Context) error {
	if t.conn == nil {
		return nil
	}
	if _, err := t.ExecContext(ctx, "SAVEPOINT hotseat_fence"); err != nil {
		return unavailable("savepoint", err)
	}
	return nil
}

// commit commits what fn wrote under the lock, or nothing of what it wrote without.
func (t *transaction) commit(ctx context.Context) error {
	if t.conn != nil {
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
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the caller's may have ended
	defer cancel()
	if t.ended {
		if _, err := t.conn.ExecContext(ctx, "SET autocommit = 1"); err == nil {
			_ = t.conn.Close()
			return
		}
	}
	t.discard()
}

func (t *transaction) discard() {
	_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = t.conn.Close()
}
