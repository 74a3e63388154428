//go:build unix

package pgxfence_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestVerify fences a transaction of the caller's own.
func TestVerify(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	verify := func(token fencing.Token) error {
		tx, err := d.admin.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(t.Context()) }()
		if err := c.Verify(t.Context(), tx, token); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.Announce(short, guardtest.Token(99, 0)), fencing.ErrUnavailable, "it waits")
		require.NoError(t, d.set(t.Context(), tx, "verified"))
		return tx.Commit(t.Context())
	}
	require.ErrorIs(t, verify(guardtest.Token(5, 0)), fencing.ErrUnavailable, "not announced")
	require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
	require.NoError(t, verify(guardtest.Token(5, 0)))
	require.Equal(t, "verified", d.value(t))
	require.ErrorIs(t, verify(guardtest.Token(4, 0)), fencing.ErrStale)
	require.ErrorIs(t, verify(guardtest.Token(5, 1)), fencing.ErrConflict)
	require.ErrorIs(t, verify(guardtest.Token(6, 0)), fencing.ErrUnavailable)
	require.ErrorIs(t, verify(fencing.Token{}), fencing.ErrMissing)
}

// TestTriggers: who carries no token changes nothing, and what InTx, Verify and an allowed unfenced
// transaction carry passes. Connections that were open before notice the triggers.
func TestTriggers(t *testing.T) {
	d := newDatabase(t, quick)
	token := guardtest.Token(5, 0)
	early := d.client(t, d.pool(t, "", 1))
	require.NoError(t, early.Write(t.Context(), token, "a", idle))
	c := d.client(t, d.admin)
	statements, err := c.Triggers(d.register(), guardtest.Scope)
	require.NoError(t, err)
	d.do(t, statements...)
	_, err = d.admin.Exec(t.Context(), "UPDATE "+d.register()+" SET value = 'b'")
	require.ErrorContains(t, err, "does not carry the current fencing token")
	require.NoError(t, c.Write(t.Context(), token, "c", idle))
	require.ErrorContains(t, early.Write(t.Context(), token, "d", idle), "does not carry", "once")
	require.NoError(t, early.Write(t.Context(), token, "e", idle))

	repair := fencing.AllowUnfenced(t.Context(), "repair of Tuesday")
	require.NoError(t, c.Write(repair, fencing.Token{}, "f", idle))
	tx, err := d.admin.Begin(repair)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	require.NoError(t, c.Verify(repair, tx, fencing.Token{}))
	require.NoError(t, d.set(repair, tx, "g"))
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, "g", d.value(t))
	require.ErrorIs(t, c.Write(t.Context(), fencing.Token{}, "h", idle), fencing.ErrMissing)
}

// TestRowMarks: a row refuses what is older than its last write, and says so.
func TestRowMarks(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	table := d.register() + "_rows"
	d.do(t, "CREATE TABLE "+table+" (id INT PRIMARY KEY, n INT, fence_epoch BIGINT, fence_term CHAR(32))",
		"INSERT INTO "+table+" VALUES (1, 0)")
	set := func(id int, token fencing.Token) error {
		return pgx.BeginFunc(t.Context(), d.admin, func(tx pgx.Tx) error {
			assignments, err := c.RowSet(token)
			require.NoError(t, err)
			condition, err := c.RowWhere(token)
			require.NoError(t, err)
			result, err := tx.Exec(t.Context(), "UPDATE "+table+" SET n = n + 1, "+assignments+" WHERE id = $1 AND "+condition, id)
			require.NoError(t, err)
			return c.RowChanged(t.Context(), tx, token, result, table, "id = $1", id)
		})
	}
	require.NoError(t, set(1, guardtest.Token(5, 0)))
	require.NoError(t, set(1, guardtest.Token(6, 0)))
	require.ErrorIs(t, set(1, guardtest.Token(5, 0)), fencing.ErrStale)
	require.ErrorIs(t, set(1, guardtest.Token(6, 1)), fencing.ErrConflict)
	require.ErrorIs(t, set(2, guardtest.Token(6, 0)), pgxfence.ErrNoRow)
}

// TestLimits: a client that stands still, or is long at work, holds up its successor for as long as
// was said, and nothing of it lands.
func TestLimits(t *testing.T) {
	idleLimit := pgxfence.Config{IdleLimit: time.Second}
	for name, test := range map[string]struct {
		theirs, ours pgxfence.Config // of the one that stands still, and of its successor
		still        func(ctx context.Context, d *database, tx pgx.Tx, leave <-chan struct{}) error
	}{
		"between statements": {idleLimit, pgxfence.Config{}, func(_ context.Context, _ *database, _ pgx.Tx, leave <-chan struct{}) error {
			<-leave
			return nil
		}},
		"in the midst of COPY": {idleLimit, pgxfence.Config{}, func(ctx context.Context, d *database, tx pgx.Tx, leave <-chan struct{}) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{d.register()}, []string{"id", "value"}, pgx.CopyFromFunc(func() ([]any, error) {
				<-leave
				return nil, nil
			}))
			return err
		}},
		"in the midst of a result": {idleLimit, pgxfence.Config{}, func(ctx context.Context, _ *database, tx pgx.Tx, leave <-chan struct{}) error {
			rows, err := tx.Query(ctx, "SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
			if err != nil {
				return err
			}
			defer rows.Close()
			<-leave
			for rows.Next() {
			}
			return rows.Err()
		}},
		"a long statement": {pgxfence.Config{}, pgxfence.Config{HoldLimit: 500 * time.Millisecond}, func(ctx context.Context, _ *database, tx pgx.Tx, _ <-chan struct{}) error {
			_, err := tx.Exec(ctx, "SELECT pg_sleep(100)")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, quick)
			test.theirs.Pool, test.ours.Pool = d.pool(t, "", 0), d.pool(t, "", 0)
			theirs, ours := d.guardWith(t, test.theirs), d.guardWith(t, test.ours)
			old := guardtest.Token(5, 0)
			require.NoError(t, ours.Announce(t.Context(), old))
			holding, ended, leave := make(chan struct{}), make(chan error, 1), make(chan struct{})
			go func() {
				ended <- theirs.InTx(t.Context(), old, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
					err := d.set(ctx, tx, "stale")
					close(holding)
					if err == nil {
						err = test.still(ctx, d, tx, leave)
					}
					return err
				})
			}()
			<-holding
			limit, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			require.NoError(t, ours.Announce(limit, guardtest.Token(6, 0)))
			close(leave)
			require.Error(t, <-ended)
			require.Empty(t, d.value(t))
			require.ErrorIs(t, theirs.InTx(t.Context(), old, pgx.TxOptions{}, nothing), fencing.ErrStale)
		})
	}
}

// TestLostCommit: who does not learn what its commit did is told just that.
func TestLostCommit(t *testing.T) {
	d := newDatabase(t, quick)
	// The constraint is asked at the commit, and refuses.
	d.do(t, "CREATE TABLE parent_"+d.register()+" (id INT PRIMARY KEY)",
		"CREATE TABLE child_"+d.register()+" (id INT REFERENCES parent_"+d.register()+" DEFERRABLE INITIALLY DEFERRED)")
	c := d.client(t, d.admin)
	err := c.InTx(t.Context(), guardtest.Token(5, 0), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO child_"+d.register()+" VALUES (1)")
		return err
	})
	require.ErrorContains(t, err, "not committed")
	require.NotErrorIs(t, err, pgxfence.ErrCommitUnknown)

	// The session is ended in the commit: by a trigger that is asked there and waits.
	d.do(t, "CREATE FUNCTION wait_"+d.register()+"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(100); RETURN NULL; END'",
		"CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON "+d.register()+" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_"+d.register()+"()")
	pool := d.pool(t, "", 1)
	c = d.client(t, pool)
	pid := session(t, pool)
	ended := make(chan error, 1)
	go func() { ended <- c.Write(t.Context(), guardtest.Token(5, 0), "x", idle) }()
	require.Eventually(t, func() bool {
		var killed bool
		err := d.admin.QueryRow(t.Context(), "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", pid).Scan(&killed)
		return err == nil && killed
	}, time.Minute, 20*time.Millisecond)
	require.ErrorIs(t, <-ended, pgxfence.ErrCommitUnknown)
}
