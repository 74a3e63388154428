//go:build unix

package pgxfence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

func suite(on *shared, odds int, level pgx.TxIsoLevel) guardtest.Suite {
	return guardtest.Suite{
		AnyScope: true,
		New: func(tb testing.TB) guardtest.Subject {
			d := newDatabase(tb, on)
			d.odds, d.opts = odds, pgx.TxOptions{IsoLevel: level}
			return d
		},
		Damage: func(tb testing.TB, s guardtest.Subject, text string) {
			d := s.(*database)
			// A column of whole numbers takes no such text; one that somebody changed does.
			marks := d.marks()
			d.do(tb, "DROP TABLE "+marks,
				"CREATE TABLE "+marks+" (scope VARCHAR(317) PRIMARY KEY, epoch VARCHAR(80), term VARCHAR(32))")
			token := guardtest.Token(5, 0)
			d.do(tb, "INSERT INTO "+marks+" VALUES ('"+token.Scope+"', '"+text+"', '"+token.Term+"')")
		},
	}
}

// each runs a test at the default isolation level, at the strictest, and where commits are asynchronous.
func each(t *testing.T, test func(t *testing.T, on *shared, level pgx.TxIsoLevel)) {
	t.Run("default", func(t *testing.T) { test(t, quick, "") })
	t.Run("serializable", func(t *testing.T) { test(t, quick, pgx.Serializable) })
	t.Run("asynchronous commits", func(t *testing.T) { test(t, asynchronous, "") })
}

func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, on *shared, level pgx.TxIsoLevel) { suite(on, 0, level).Conformance(t) })
}

// TestLinearizable: with connections lost before a request arrived, commits among them, and after.
func TestLinearizable(t *testing.T) {
	load := guardtest.Load{Rounds: 6}
	if testing.Short() {
		load = guardtest.Load{Rounds: 2, Calls: 25}
	}
	each(t, func(t *testing.T, on *shared, level pgx.TxIsoLevel) { suite(on, 40, level).Linearizable(t, load) })
}

func TestHammer(t *testing.T) {
	d := 10 * time.Second
	if testing.Short() {
		d = 2 * time.Second
	}
	each(t, func(t *testing.T, on *shared, level pgx.TxIsoLevel) { suite(on, 0, level).Hammer(t, d) })
}

// TestRecoveryRow plays the row of internal/docs/guards.md.
func TestRecoveryRow(t *testing.T) {
	d := newDatabase(t, quick)
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
}

// TestMissingTable: no guard will ever be there, and the error says what to do.
func TestMissingTable(t *testing.T) {
	d := newDatabase(t, quick)
	c := d.client(t, d.admin)
	d.do(t, "DROP TABLE "+d.marks())
	for _, err := range []error{
		c.Announce(t.Context(), guardtest.Token(5, 0)), c.Write(t.Context(), guardtest.Token(5, 0), "x", idle),
	} {
		require.ErrorIs(t, err, fencing.ErrWiring)
		require.ErrorContains(t, err, "Guard.Schema makes")
	}
}
