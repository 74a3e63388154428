package guards

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// endTransaction makes the database itself roll tx back, by the error of one
// statement that it returns. PostgreSQL's transactions are not over then: they refuse
// all that follows.
func endTransaction(t *testing.T, d *database, tx *sql.Tx) error {
	t.Helper()
	if d.driver == "sqlite" { // an interrupted write
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := tx.ExecContext(short, "INSERT INTO "+d.register()+
			" SELECT n + 9, 'x' FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c)")
		return err
	}
	rows := fmt.Sprintf("rows_%d", names.Add(1))
	d.do(t, "CREATE TABLE "+rows+" (id INT PRIMARY KEY, n INT)", "INSERT INTO "+rows+" VALUES (1, 0), (2, 0)")
	set := func(tx *sql.Tx, id int) error {
		_, err := tx.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET n = n + 1 WHERE id = %d", rows, id))
		return err
	}
	other, err := d.admin.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = other.Rollback() }()
	for id := range 50 { // the one that changed less is the deadlock's victim
		_, err := other.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s VALUES (%d, 0)", rows, id+10))
		require.NoError(t, err)
	}
	require.NoError(t, set(other, 2))
	require.NoError(t, set(tx, 1))
	waited := make(chan error, 1)
	go func() { waited <- set(other, 1) }()
	err = set(tx, 2) // whichever of the two comes second closes the circle
	require.NoError(t, <-waited)
	return err
}

// TestStatementThatEndsTheTransaction: fn has to return its error. Then nothing is
// written, and the lock is gone with the transaction.
func TestStatementThatEndsTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.open(t, nil))
		var ended error
		err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "first"))
			ended = endTransaction(t, d, tx)
			require.Error(t, ended)
			require.NoError(t, d.client(t, d.admin).Announce(ctx, guardtest.Token(6, 0)))
			return ended
		})
		require.Equal(t, ended, err)
		require.Empty(t, d.value(t))
	}, mariadb, sqlite)
}

// TestFnThatSwallowsTheEndOfItsTransaction: what it sends then is not written, InTx
// says so, and the connection is as good as before.
func TestFnThatSwallowsTheEndOfItsTransaction(t *testing.T) {
	d := mariadb.database(t)
	db := d.single(t)
	c := d.client(t, db)
	err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
		require.NoError(t, d.set(ctx, tx, "first"))
		require.Error(t, endTransaction(t, d, tx))
		require.NoError(t, d.client(t, d.admin).Announce(ctx, guardtest.Token(6, 0)))
		return d.set(ctx, tx, "stale")
	})
	require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
	require.Empty(t, d.value(t))

	require.NoError(t, c.InTx(t.Context(), guardtest.Token(6, 0), nil, func(ctx context.Context, tx *sql.Tx) error { return d.set(ctx, tx, "next") }))
	require.Equal(t, "next", d.value(t))
	for _, end := range []error{nil, errors.New("no")} {
		require.Equal(t, end, c.InTx(t.Context(), guardtest.Token(6, 0), nil, func(context.Context, *sql.Tx) error { return end }))
		var commits bool
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT @@autocommit").Scan(&commits))
		require.True(t, commits)
	}
}

// TestTriggersBehindTheTransaction: where fn goes on after the database ended the
// transaction, there is no lock. Triggers still judge each statement.
func TestTriggersBehindTheTransaction(t *testing.T) {
	d, c := triggered(t, mariadb)
	err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
		require.Error(t, endTransaction(t, d, tx))
		require.NoError(t, d.client(t, d.admin).Announce(ctx, guardtest.Token(6, 0)))
		return d.set(ctx, tx, "stale")
	})
	require.ErrorContains(t, err, "does not carry the current fencing token")
	require.Equal(t, "a", d.value(t))
}
