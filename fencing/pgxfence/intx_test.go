//go:build unix

package pgxfence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// session is the one session of a pool of one connection.
func session(t *testing.T, pool *pgxpool.Pool) (pid int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	return pid
}

// rewriter has pgx send it instead of the statement.
type rewriter string

func (r rewriter) RewriteQuery(
	context.Context, *pgx.Conn, string, []any,
) (string, []any, error) {
	return string(r), nil, nil
}

// TestWhatFnDoes: its errors and panics, its rollback, what it swallows and the end of its context roll
// back. The connection is as good as before, and no lock is left.
func TestWhatFnDoes(t *testing.T) {
	mine := errors.New("mine")
	ended := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "ROLLBACK")
		return err
	}
	for name, test := range map[string]struct {
		fn   func(context.Context, pgx.Tx) error
		want error
		not  error
	}{
		"error": {func(context.Context, pgx.Tx) error { return mine }, mine, pgxfence.ErrCommitUnknown},
		"swallowed error": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1/0")
			require.Error(t, err)
			return nil
		}, pgx.ErrTxCommitRollback, pgxfence.ErrCommitUnknown},
		"rollback":      {func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) }, pgx.ErrTxClosed, pgxfence.ErrCommitUnknown},
		"ROLLBACK sent": {ended, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"ROLLBACK and BEGIN sent": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "ROLLBACK; BEGIN")
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"a nested transaction ends it": {func(ctx context.Context, tx pgx.Tx) error {
			nested, err := tx.Begin(ctx)
			require.NoError(t, err)
			_, err = nested.Exec(ctx, "ROLLBACK; BEGIN")
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"a rewritten statement ends it": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1", pgx.QueryExecModeExec, rewriter("ROLLBACK"))
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "SELECT 1", rewriter("BEGIN"))
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"a batch ends it": {func(ctx context.Context, tx pgx.Tx) error {
			batch := &pgx.Batch{}
			batch.Queue("ROLLBACK")
			batch.Queue("BEGIN")
			return tx.SendBatch(ctx, batch).Close()
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"a prepared statement ends it": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "done", "ROLLBACK")
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "done")
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "BEGIN")
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"a query ends it": {func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, "ROLLBACK")
			require.NoError(t, err)
			rows.Close()
			_, err = tx.Exec(ctx, "BEGIN")
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
		"its connection ends it": {func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Conn().Exec(ctx, "ROLLBACK; BEGIN")
			return err
		}, pgxfence.ErrCommitUnknown, fencing.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t, quick)
			pool := d.pool(t, "", 1)
			c := d.client(t, pool)
			before := session(t, pool)
			err := c.InTx(t.Context(), guardtest.Token(5, 0), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				require.NoError(t, d.set(ctx, tx, "lost"))
				return test.fn(ctx, tx)
			})
			require.ErrorIs(t, err, test.want)
			require.NotErrorIs(t, err, test.not)
			require.Empty(t, d.value(t))
			require.Equal(t, before, session(t, pool), "the connection is kept")
			require.NoError(t, c.Write(t.Context(), guardtest.Token(5, 0), "kept", idle))
			require.Equal(t, "kept", d.value(t))
			require.NoError(t, c.Announce(t.Context(), guardtest.Token(6, 0)), "no lock is left")
		})
	}
}

// TestPanicAndCancel roll back, too.
func TestPanicAndCancel(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	token := guardtest.Token(5, 0)
	require.PanicsWithValue(t, "boom", func() {
		_ = c.Write(t.Context(), token, "x", func() { panic("boom") })
	})
	mine := errors.New("mine")
	for _, statement := range []string{"SELECT 1", "SELECT pg_sleep(100)"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := c.InTx(ctx, token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			require.NoError(t, d.set(ctx, tx, "x"))
			if statement == "SELECT 1" {
				cancel(mine)
				return nil
			}
			time.AfterFunc(100*time.Millisecond, func() { cancel(mine) })
			_, err := tx.Exec(ctx, statement)
			return err
		})
		require.Error(t, err)
		require.NotErrorIs(t, err, pgxfence.ErrCommitUnknown)
	}
	require.Empty(t, d.value(t))
	require.NoError(t, c.Announce(t.Context(), guardtest.Token(6, 0)), "no lock is left")
	require.Eventually(t, func() bool { return d.admin.Stat().AcquiredConns() == 0 },
		time.Minute, time.Millisecond, "pgx gives a broken connection back behind the caller's back")
}

// TestFnMayNot commit, begin a second transaction within the first, or leave rows open.
func TestFnMayNot(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	token := guardtest.Token(5, 0)
	err := c.InTx(t.Context(), token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		require.ErrorContains(t, tx.Commit(ctx), "fn must not commit its transaction")
		require.ErrorContains(t, c.Write(ctx, token, "x", idle), "InTx within InTx of")
		return d.set(ctx, tx, "kept")
	})
	require.NoError(t, err)
	require.Equal(t, "kept", d.value(t))
	err = c.InTx(t.Context(), token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, d.set(ctx, tx, "lost"))
		_, err := tx.Query(ctx, "SELECT generate_series(1, 100000)")
		return err
	})
	require.ErrorContains(t, err, "not committed")
	require.NotErrorIs(t, err, pgxfence.ErrCommitUnknown)
	require.Equal(t, "kept", d.value(t))
}

// TestAfterTheEnd: others may have the connection, and a transaction that fn kept does not reach it.
func TestAfterTheEnd(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.pool(t, "", 1))
	for _, word := range []string{"SELECT 1", "SELECT 'committed'"} {
		var kept, nested pgx.Tx
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) (err error) {
			kept = tx
			if nested, err = tx.Begin(ctx); err == nil {
				_, err = tx.Exec(ctx, word)
			}
			return err
		}))
		ctx := t.Context()
		for _, tx := range []pgx.Tx{kept, nested} {
			_, err := tx.Exec(ctx, "UPDATE "+d.register()+" SET value = 'late'")
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			_, err = tx.Query(ctx, "SELECT 1")
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			require.ErrorIs(t, tx.QueryRow(ctx, "SELECT 1").Scan(new(int)), pgx.ErrTxClosed)
			_, err = tx.Begin(ctx)
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			_, err = tx.Prepare(ctx, "late", "SELECT 1")
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			_, err = tx.CopyFrom(ctx, pgx.Identifier{d.register()}, []string{"id"}, pgx.CopyFromRows(nil))
			require.ErrorIs(t, err, pgx.ErrTxClosed)
			require.ErrorIs(t, tx.Rollback(ctx), pgx.ErrTxClosed)
			require.Error(t, tx.Commit(ctx))
			batch := &pgx.Batch{}
			batch.Queue("SELECT 1")
			require.ErrorIs(t, tx.SendBatch(ctx, batch).Close(), pgx.ErrTxClosed)
		}
	}
}

// TestNoConnection: nothing was admitted, and fn was not called.
func TestNoConnection(t *testing.T) {
	d := newDatabase(t, quick)
	pool := d.pool(t, "", 1)
	c := d.client(t, pool)
	pool.Close()
	repair := fencing.AllowUnfenced(t.Context(), "repair")
	for _, err := range []error{
		c.Write(t.Context(), guardtest.Token(5, 0), "x", idle), c.Write(repair, fencing.Token{}, "x", idle),
		c.Announce(t.Context(), guardtest.Token(5, 0)),
	} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.NotErrorIs(t, err, fencing.ErrWiring)
	}
	require.Empty(t, d.value(t))
}

// TestNestedTransaction is rolled back by itself, and what fn writes besides is kept.
func TestNestedTransaction(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	require.ErrorIs(t, c.InTx(t.Context(), guardtest.Token(5, 0), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, d.set(ctx, tx, "kept"))
		return errors.Join(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "SELECT 'committed'").Scan(new(string)) // a word that a COMMIT has
		}), pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			require.NoError(t, d.set(ctx, tx, "lost"))
			return pgx.ErrNoRows
		}))
	}), pgx.ErrNoRows)
	require.Empty(t, d.value(t))
	require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		require.NoError(t, d.set(ctx, tx, "kept"))
		require.ErrorIs(t, pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			require.NoError(t, d.set(ctx, tx, "lost"))
			return pgx.ErrNoRows
		}), pgx.ErrNoRows)
		return nil
	}))
	require.Equal(t, "kept", d.value(t))
}

// TestOptions that make no sense under a lock are named.
func TestOptions(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	for field, opts := range map[string]pgx.TxOptions{
		"IsoLevel": {IsoLevel: "linearizable"}, "AccessMode": {AccessMode: pgx.ReadOnly}, "DeferrableMode": {DeferrableMode: pgx.Deferrable},
		"BeginQuery": {BeginQuery: "BEGIN"}, "CommitQuery": {CommitQuery: "COMMIT"},
	} {
		require.ErrorContains(t, c.InTx(t.Context(), guardtest.Token(5, 0), opts, nothing), "TxOptions."+field)
	}
	show := func(opts pgx.TxOptions) (level, readOnly string) {
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), opts, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly)
		}))
		return level, readOnly
	}
	for _, level := range []pgx.TxIsoLevel{pgx.ReadUncommitted, pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		got, readOnly := show(pgx.TxOptions{IsoLevel: level, AccessMode: pgx.ReadWrite})
		require.Equal(t, string(level), got)
		require.Equal(t, "off", readOnly)
	}
	_, err := pgxfence.New(pgxfence.Config{Table: "a b", HoldLimit: -1})
	require.ErrorContains(t, err, "Config.Pool is nil")
	require.ErrorContains(t, err, "Config.Table")
	require.ErrorContains(t, err, "Config.HoldLimit")
}

// TestSessionOfAStricterLevel: who did not ask for it is not judged by a snapshot from before the lock.
func TestSessionOfAStricterLevel(t *testing.T) {
	d := newDatabase(t, quick)
	pool := d.pool(t, "", 1)
	_, err := pool.Exec(t.Context(), "SET default_transaction_isolation = 'repeatable read'")
	require.NoError(t, err)
	c, direct := d.client(t, pool), d.client(t, d.admin)
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, direct.Announce(t.Context(), old))
	for range 2 { // the second knows
		require.NoError(t, c.Write(t.Context(), old, "old", idle))
	}
	// It waits behind an announcement, and the snapshot is then older than the lock.
	announced, stale := make(chan error, 1), make(chan error, 1)
	require.NoError(t, direct.Write(t.Context(), old, "in flight", func() {
		go func() { announced <- direct.Announce(t.Context(), now) }()
		d.awaitWaiting(t, 1)
		go func() { stale <- c.Write(t.Context(), old, "stale", idle) }()
		d.awaitWaiting(t, 2)
	}))
	require.NoError(t, <-announced)
	require.ErrorIs(t, <-stale, fencing.ErrStale)
	require.NoError(t, c.Write(t.Context(), now, "now", idle))
	_, err = pool.Exec(t.Context(), "SET default_transaction_isolation = 'read committed'")
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), now, "later", idle))
}

func (d *database) awaitWaiting(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := d.admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'").Scan(&waiting)
		return err == nil && waiting >= n
	}, time.Minute, 20*time.Millisecond)
}

// TestBehindPgBouncer: its clients take turns on one session, transaction by transaction.
func TestBehindPgBouncer(t *testing.T) {
	d := newDatabase(t, quick)
	bouncer := services.PgBouncer(t, d.shared.server(t))
	one, other := d.client(t, d.connect(t, bouncer.DSN(), 0)), d.client(t, d.connect(t, bouncer.DSN(), 0))
	direct := d.client(t, d.admin)
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, one.Write(t.Context(), old, "old", idle))
	require.NoError(t, other.Write(t.Context(), old, "other", idle))
	announced := make(chan error, 1)
	require.NoError(t, one.Write(t.Context(), old, "in flight", func() {
		go func() { announced <- direct.Announce(t.Context(), now) }()
		d.awaitWaiting(t, 1)
	}))
	require.NoError(t, <-announced)
	require.ErrorIs(t, other.Write(t.Context(), old, "stale", idle), fencing.ErrStale)
	require.NoError(t, one.Write(t.Context(), now, "now", idle))
	require.NoError(t, other.Announce(t.Context(), guardtest.Token(7, 0)))
	require.Equal(t, "now", d.value(t))
}
