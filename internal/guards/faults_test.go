package guards

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// TestLostCommit: the connection is gone before the commit. It is said to be
// unknown, and the transaction is not run again.
func TestLostCommit(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		link := d.link(t, 0)
		c := d.client(t, d.open(t, link))
		runs := 0
		err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			runs++
			require.NoError(t, d.set(ctx, tx, "lost"))
			link.Cut()
			return nil
		})
		require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
		require.NotErrorIs(t, err, fencing.ErrUnavailable)
		require.Equal(t, 1, runs)
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), nil, nothing), "the pool connects again")
	}, postgres, oneTrip, libpq, mariadb)
}

// TestRefusedCommit: the database says no, so it is known.
func TestRefusedCommit(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		d.do(t, "ALTER TABLE "+d.register()+" ADD CONSTRAINT once_"+d.register()+" UNIQUE (value) DEFERRABLE INITIALLY DEFERRED")
		d.do(t, "INSERT INTO "+d.register()+" VALUES (2, 'taken')")
		c := d.client(t, d.admin)
		err := c.Write(t.Context(), guardtest.Token(5, 0), "taken", func() {})
		require.ErrorContains(t, err, "not committed")
		require.NotErrorIs(t, err, sqlfence.ErrCommitUnknown)

		// Two transactions, each of which read what the other writes.
		d = b.database(t)
		c = d.client(t, d.admin)
		sum := func(other func()) error {
			return c.InTx(t.Context(), guardtest.Token(5, 0), serializable(), func(ctx context.Context, tx *sql.Tx) error {
				var n int
				if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+d.register()).Scan(&n); err != nil {
					return err
				}
				other()
				_, err := tx.ExecContext(ctx, "INSERT INTO "+d.register()+" VALUES (floor(random() * 1e9), 'x')")
				return err
			})
		}
		err = sum(func() { require.NoError(t, sum(func() {})) })
		require.ErrorContains(t, err, "40001")
		require.NotErrorIs(t, err, sqlfence.ErrCommitUnknown)
	}, postgres, oneTrip, libpq)
}

// TestServerKilled in the middle of a transaction, and run again: what was
// committed stays, the mark too, and nothing else.
func TestServerKilled(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		run := services.Postgres
		if b.dialect == sqlfence.MySQL {
			run = services.MariaDB
		}
		own := &shared{begin: func(context.Context, ...string) (*services.Server, error) { return run(t), nil }}
		b.server = own
		d := b.database(t)
		c := d.client(t, d.admin)
		old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
		require.NoError(t, c.Write(t.Context(), old, "kept", func() {}))
		err := c.InTx(t.Context(), old, nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "lost"))
			own.s.Kill()
			return nil
		})
		require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
		for _, err := range []error{
			c.Announce(t.Context(), next), c.Check(t.Context(), old), c.InTx(t.Context(), old, nil, nothing),
		} {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
		}
		_, err = c.Mark(t.Context(), old.Scope)
		require.ErrorIs(t, err, fencing.ErrUnavailable)

		require.NoError(t, own.s.Restart(t.Context()))
		mark, err := c.Mark(t.Context(), old.Scope)
		require.NoError(t, err)
		require.Equal(t, old, mark)
		require.Equal(t, "kept", d.value(t))
		require.NoError(t, c.Announce(t.Context(), next), "no lock is left")
		require.ErrorIs(t, c.InTx(t.Context(), old, nil, nothing), fencing.ErrStale)
	}, postgres, oneTrip, libpq, mariadb)
}

// TestFrozenLeader: its open transaction ends after the idle limit, so that its
// successor may begin; waking up, it can commit nothing.
func TestFrozenLeader(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		d := b.database(t)
		g, err := sqlfence.New(sqlfence.Config{DB: d.admin, Dialect: d.dialect, Table: d.marks(), IdleLimit: 300 * time.Millisecond})
		require.NoError(t, err)
		err = g.InTx(ctx, guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "stale"))
			return g.Announce(ctx, guardtest.Token(6, 0))
		})
		require.ErrorIs(t, err, sqlfence.ErrCommitUnknown, "a lost connection tells no more")
		require.Empty(t, d.value(t))
	}, postgres, oneTrip, libpq)
}

// TestSettingsEndWithTheTransaction: the next one on the connection carries no
// token, and no limit.
func TestSettingsEndWithTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		statements, err := d.client(t, d.admin).Triggers(d.register(), guardtest.Scope)
		require.NoError(t, err)
		d.do(t, statements...) // which are told of the token
		db := d.single(t)
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: d.dialect, Table: d.marks(), IdleLimit: time.Hour})
		require.NoError(t, err)
		show := func(name, want string, q interface {
			QueryRowContext(context.Context, string, ...any) *sql.Row
		}) {
			t.Helper()
			var got string
			require.NoError(t, q.QueryRowContext(t.Context(), "SHOW "+name).Scan(&got))
			require.Equal(t, want, got)
		}
		require.NoError(t, g.InTx(t.Context(), guardtest.Token(5, 0), nil, func(_ context.Context, tx *sql.Tx) error {
			show("hotseat.token", guardtest.Token(5, 0).String(), tx)
			show("idle_in_transaction_session_timeout", "1h", tx)
			return nil
		}))
		show("hotseat.token", "", db)
		show("idle_in_transaction_session_timeout", "0", db)
	}, postgres, oneTrip, libpq)
}

// TestRowMarks: of none changed it is told why.
func TestRowMarks(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		rows := d.register()
		d.do(t, "ALTER TABLE "+rows+" ADD fence_epoch BIGINT", "ALTER TABLE "+rows+" ADD fence_term CHAR(32)")
		d.do(t, "INSERT INTO "+rows+" (id, value) VALUES (1, 'a')")
		c := d.client(t, d.admin)
		update := func(token fencing.Token, id, value string) error {
			set, err := c.RowSet(token)
			if err != nil {
				return err
			}
			where, err := c.RowWhere(token)
			require.NoError(t, err)
			tx, err := d.admin.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			defer func() { _ = tx.Rollback() }()
			result, err := tx.ExecContext(t.Context(), "UPDATE "+rows+" SET value = '"+value+"', "+set+" WHERE id = "+id+" AND "+where)
			require.NoError(t, err)
			if err := c.RowChanged(t.Context(), tx, token, result, rows, "id = "+id); err != nil {
				return err
			}
			return tx.Commit()
		}
		require.NoError(t, update(guardtest.Token(5, 0), "1", "b"))
		require.NoError(t, update(guardtest.Token(5, 0), "1", "b"), "also when nothing changes")
		require.ErrorIs(t, update(guardtest.Token(4, 0), "1", "c"), fencing.ErrStale)
		require.ErrorIs(t, update(guardtest.Token(5, 1), "1", "c"), fencing.ErrConflict)
		require.ErrorIs(t, update(guardtest.Token(5, 0), "2", "c"), sqlfence.ErrNoRow)
		require.ErrorIs(t, update(fencing.Token{}, "1", "c"), fencing.ErrMissing)
		require.Equal(t, "b", d.value(t))
		require.NoError(t, update(guardtest.Token(6, 0), "1", "d"))
		require.Equal(t, "d", d.value(t))
		d.do(t, "UPDATE "+rows+" SET fence_epoch = NULL")
		require.NoError(t, update(guardtest.Token(5, 0), "1", "e"), "a row that was never fenced")
		for _, damage := range []string{"fence_epoch = 9, fence_term = 'damaged'", "fence_epoch = -9", "fence_epoch = 0"} {
			d.do(t, "UPDATE "+rows+" SET fence_term = '"+guardtest.Token(5, 0).Term+"'", "UPDATE "+rows+" SET "+damage)
			err := update(guardtest.Token(5, 0), "1", "f")
			require.ErrorIs(t, err, fencing.ErrUnavailable, damage)
			require.NotErrorIs(t, err, fencing.ErrMalformed, damage)
		}
	})
}
