package guards

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// triggered is a database whose register has triggers, and a row.
func triggered(t *testing.T, b backend) (*database, *client) {
	t.Helper()
	d := b.database(t)
	d.do(t, "INSERT INTO "+d.register()+" VALUES (1, 'a')")
	c := d.client(t, d.admin)
	for range 2 { // again: they replace themselves
		statements, err := c.Triggers(d.register(), guardtest.Scope)
		require.NoError(t, err)
		d.do(t, statements...)
	}
	return d, c
}

// changes are all kinds of change of one row.
func (d *database) changes() []string {
	changes := []string{
		"INSERT INTO " + d.register() + " VALUES (2, 'b')", "UPDATE " + d.register() + " SET value = 'b'", "DELETE FROM " + d.register(),
	}
	if d.dialect == sqlfence.PostgreSQL {
		changes = append(changes, "TRUNCATE "+d.register())
	}
	return changes
}

// TestTriggers: who carries no token, or not the current one, changes nothing.
func TestTriggers(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d, c := triggered(t, b)
		carry := "SET @hotseat_token = '%s'"
		if b.dialect == sqlfence.PostgreSQL {
			carry = "SET LOCAL hotseat.token = '%s'"
		}
		raw := func(change, token string) error {
			tx, err := d.admin.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			defer func() { _ = tx.Rollback() }()
			_, err = tx.ExecContext(t.Context(), fmt.Sprintf(carry, token))
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), change)
			return err
		}
		old, next, other := guardtest.Token(5, 0), guardtest.Token(6, 0), guardtest.Token(6, 0)
		other.Scope = "shop/other"
		refused := func(token string) {
			t.Helper()
			for _, change := range d.changes() {
				require.ErrorContains(t, raw(change, token), "does not carry the current fencing token", change)
			}
		}
		refused("") // before any term, too
		require.NoError(t, c.Announce(t.Context(), old))
		refused("")
		refused("nonsense")
		refused(next.String())
		for _, change := range d.changes() {
			require.NoError(t, raw(change, old.String()), change)
		}
		require.NoError(t, c.Announce(t.Context(), next))
		require.NoError(t, c.Announce(t.Context(), other))
		refused(old.String())
		refused(other.String())
		refused(guardtest.Token(6, 1).String())

		require.Equal(t, "a", d.value(t))
		require.NoError(t, c.Write(t.Context(), next, "b", func() {}))
		require.NoError(t, c.InTx(t.Context(), next, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM "+d.register())
			return err
		}))
		require.Empty(t, d.value(t))
	}, postgres, oneTrip, libpq, mariadb)
}

// TestTriggersMadeLater, by another process: a connection of Connector that had found none tells them
// of the token once they have refused it.
func TestTriggersMadeLater(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		b, _ = b.own(t, "-c", "fsync=off") // without triggers of other tests
		d := b.database(t)
		c, other := d.client(t, d.single(t)), d.client(t, d.admin)
		token := guardtest.Token(5, 0)
		for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelSerializable} {
			write := func(value string) error {
				return c.InTx(t.Context(), token, &sql.TxOptions{Isolation: level}, func(ctx context.Context, tx *sql.Tx) error {
					return d.set(ctx, tx, value)
				})
			}
			require.NoError(t, write("a"))
			statements, err := other.Triggers(d.register(), guardtest.Scope)
			require.NoError(t, err)
			d.do(t, statements...)
			require.ErrorContains(t, write("b"), "it carries none")
			for _, value := range []string{"c", "d"} {
				require.NoError(t, write(value))
				require.Equal(t, value, d.value(t))
			}
			d.do(t, "DROP TRIGGER hotseat_fence ON "+d.register())
			require.Error(t, c.InTx(t.Context(), token, nil, func(context.Context, *sql.Tx) error { return sql.ErrNoRows }))
		}
	}, oneTrip, libpq)
}

// TestTriggersOfOddScopes: a scope is a text to the database, whatever it has in it.
func TestTriggersOfOddScopes(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		token := fencing.Token{Scope: `a'||'$hotseat$--/*%s$1?` + "`", Epoch: 5, Term: guardtest.Token(5, 0).Term}
		statements, err := c.Triggers(d.register(), token.Scope)
		require.NoError(t, err)
		d.do(t, statements...)
		require.ErrorContains(t, c.Write(t.Context(), guardtest.Token(5, 0), "a", func() {}), "does not carry the current fencing token")
		require.NoError(t, c.Write(t.Context(), token, "a", func() {}))
		require.Equal(t, "a", d.value(t))
		mark, err := c.Mark(t.Context(), token.Scope)
		require.NoError(t, err)
		require.Equal(t, token, mark)
	}, postgres, oneTrip, libpq, mariadb)
}

// TestTriggerHoldsUpTheSuccessor: a writer without the guard takes the lock too.
func TestTriggerHoldsUpTheSuccessor(t *testing.T) {
	d, c := triggered(t, postgres)
	old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, c.Announce(t.Context(), old))
	tx, err := d.admin.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	for _, s := range []string{"SET LOCAL hotseat.token = '" + old.String() + "'", "UPDATE " + d.register() + " SET value = 'b'"} {
		_, err := tx.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Announce(t.Context(), next) }()
	d.awaitWaiting(t, 1)
	require.NoError(t, tx.Commit())
	require.NoError(t, <-done)
	require.Equal(t, "b", d.value(t))
}

// TestUnfencedTransactions: the named way around, and no other.
func TestUnfencedTransactions(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		if b.dialect == sqlfence.PostgreSQL {
			d, c = triggered(t, b)
		}
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
		write := func(ctx context.Context, token fencing.Token, value string) error {
			return c.Write(ctx, token, value, func() {})
		}
		require.ErrorIs(t, write(t.Context(), fencing.Token{}, "b"), fencing.ErrMissing)
		allowed := fencing.AllowUnfenced(t.Context(), "repair of 'Tuesday'")
		require.NoError(t, write(allowed, fencing.Token{}, "c"))
		require.Equal(t, "c", d.value(t))
		require.NoError(t, c.Check(allowed, fencing.Token{}))
		require.ErrorIs(t, write(allowed, guardtest.Token(4, 0), "d"), fencing.ErrStale, "a token that is there is judged")
		require.ErrorIs(t, c.Announce(allowed, fencing.Token{}), fencing.ErrMissing)
	})
}

func TestNoTriggersInSQLite(t *testing.T) {
	d := sqlite.database(t)
	_, err := d.client(t, d.admin).Triggers(d.register(), guardtest.Scope)
	require.ErrorContains(t, err, "not offered for SQLite")
}
