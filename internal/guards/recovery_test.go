package guards

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestRecoveryRow plays the rows of internal/docs/guards.md.
func TestRecoveryRow(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		do := func(statement string) func(testing.TB) {
			return func(t testing.TB) { d.do(t, statement) }
		}
		lease := guardtest.Token(6, 0)
		guardtest.Recovery{
			Guard:  func(t testing.TB) fencing.Guard { return d.guard(t, d.admin) },
			Lose:   do("DELETE FROM " + d.marks()),
			Damage: do("UPDATE " + d.marks() + " SET term = 'damaged'"),
			Repair: do(fmt.Sprintf("UPDATE %s SET epoch = %d, term = '%s' WHERE scope = '%s'",
				d.marks(), lease.Epoch, lease.Term, lease.Scope)),
		}.Run(t)
	})
}

// TestRecovery follows the table of the package's documentation: what is seen, and that what to do does it.
func TestRecovery(t *testing.T) {
	old, now, next := guardtest.Token(5, 0), guardtest.Token(6, 0), guardtest.Token(7, 0)
	each(t, func(t *testing.T, b backend) {
		start := func(t *testing.T) (*database, *client) {
			d := b.database(t)
			c := d.client(t, d.open(t, nil))
			require.NoError(t, c.Announce(t.Context(), old))
			require.NoError(t, c.Announce(t.Context(), now))
			return d, c
		}
		byHand := func(t *testing.T, d *database) {
			d.do(t, fmt.Sprintf("UPDATE %s SET epoch = %d, term = '%s' WHERE scope = '%s'", d.marks(), now.Epoch, now.Term, now.Scope))
		}
		well := func(t *testing.T, d *database, c *client) {
			require.NoError(t, c.Announce(t.Context(), now))
			require.NoError(t, c.Write(t.Context(), now, "now", func() {}))
			require.ErrorIs(t, c.Write(t.Context(), old, "stale", func() {}), fencing.ErrStale)
			require.Equal(t, "now", d.value(t))
			require.NoError(t, c.Announce(t.Context(), next))
			require.ErrorIs(t, c.Write(t.Context(), now, "stale", func() {}), fencing.ErrStale)
		}
		t.Run("table dropped", func(t *testing.T) {
			d, c := start(t)
			d.do(t, "DROP TABLE "+d.marks())
			require.ErrorIs(t, c.Write(t.Context(), now, "x", func() {}), fencing.ErrWiring)
			require.ErrorIs(t, c.Announce(t.Context(), now), fencing.ErrWiring)
			d.do(t, c.Schema(), fmt.Sprintf("INSERT INTO %s (scope, epoch, term) VALUES ('%s', %d, '%s')", d.marks(), now.Scope, now.Epoch, now.Term))
			well(t, d, c)
		})
		t.Run("row deleted", func(t *testing.T) {
			d, c := start(t)
			d.do(t, "DELETE FROM "+d.marks())
			well(t, d, c) // announced again
		})
		t.Run("older backup", func(t *testing.T) {
			d, c := start(t)
			d.do(t, fmt.Sprintf("UPDATE %s SET epoch = %d, term = '%s'", d.marks(), old.Epoch, old.Term))
			well(t, d, c)
		})
		t.Run("epoch too high", func(t *testing.T) {
			d, c := start(t)
			poison := fencing.Token{Scope: now.Scope, Epoch: math.MaxInt64, Term: now.Term}
			require.NoError(t, c.Announce(t.Context(), poison))
			err := c.Write(t.Context(), now, "x", func() {})
			require.ErrorIs(t, err, fencing.ErrStale)
			require.ErrorContains(t, err, poison.String())
			byHand(t, d)
			well(t, d, c)
		})
		t.Run("damaged", func(t *testing.T) {
			d, c := start(t)
			d.do(t, "UPDATE "+d.marks()+" SET term = 'damaged'")
			require.ErrorContains(t, c.Write(t.Context(), now, "x", func() {}), "damaged")
			require.ErrorContains(t, c.Announce(t.Context(), next), "damaged")
			byHand(t, d)
			well(t, d, c)
		})
		if b.dialect == sqlfence.SQLite {
			return // its columns take anything
		}
		t.Run("another type", func(t *testing.T) {
			d, c := start(t)
			if b.dialect == sqlfence.MySQL {
				d.do(t, "ALTER TABLE "+d.marks()+" MODIFY epoch VARCHAR(20)", "UPDATE "+d.marks()+" SET epoch = 'six'")
			} else {
				d.do(t, "ALTER TABLE "+d.marks()+" DROP CONSTRAINT "+d.marks()+"_epoch_check", "ALTER TABLE "+d.marks()+" ALTER epoch TYPE text USING 'six'")
			}
			require.ErrorIs(t, c.Write(t.Context(), now, "x", func() {}), fencing.ErrUnavailable)
			require.ErrorIs(t, c.Announce(t.Context(), next), fencing.ErrUnavailable)
			if b.dialect == sqlfence.MySQL {
				d.do(t, "UPDATE "+d.marks()+" SET epoch = '6'", "ALTER TABLE "+d.marks()+" MODIFY epoch BIGINT NOT NULL CHECK (epoch >= 1)")
			} else {
				d.do(t, "ALTER TABLE "+d.marks()+" ALTER epoch TYPE bigint USING 6")
			}
			byHand(t, d)
			well(t, d, c)
		})
	})
}
