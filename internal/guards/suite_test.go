package guards

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

func (b backend) suite(odds int, opts *sql.TxOptions) guardtest.Suite {
	return guardtest.Suite{
		AnyScope: true,
		New: func(tb testing.TB) guardtest.Subject {
			d := b.database(tb)
			d.odds, d.opts = odds, opts
			return d
		},
		Damage: func(tb testing.TB, s guardtest.Subject, text string) {
			d := s.(*database)
			// A column of whole numbers takes no such text; one that somebody changed does.
			marks := d.marks()
			d.do(tb, "DROP TABLE "+marks, "CREATE TABLE "+marks+" (scope VARCHAR(317) PRIMARY KEY, epoch VARCHAR(80), term VARCHAR(32))")
			token := guardtest.Token(5, 0)
			d.do(tb, "INSERT INTO "+marks+" VALUES ('"+token.Scope+"', '"+text+"', '"+token.Term+"')")
		},
	}
}

// TestConformance: at the default isolation and at the strictest.
func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		b.suite(0, nil).Conformance(t)
		t.Run("Serializable", b.suite(0, serializable()).Conformance)
	}, suites()...)
}

func serializable() *sql.TxOptions { return &sql.TxOptions{Isolation: sql.LevelSerializable} }

// TestLinearizable: with connections lost before a request arrived, commits among
// them, and after.
func TestLinearizable(t *testing.T) {
	load := guardtest.Load{Rounds: 6}
	if testing.Short() {
		load = guardtest.Load{Rounds: 2, Calls: 25}
	}
	each(t, func(t *testing.T, b backend) {
		t.Run("default", func(t *testing.T) { b.suite(40, nil).Linearizable(t, load) })
		t.Run("serializable", func(t *testing.T) { b.suite(40, serializable()).Linearizable(t, load) })
	}, suites()...)
}

func TestHammer(t *testing.T) {
	d := 30 * time.Second
	if testing.Short() {
		d = 2 * time.Second
	}
	each(t, func(t *testing.T, b backend) {
		t.Parallel()
		b.suite(0, nil).Hammer(t, d)
	}, suites()...)
}

// TestPoisonedMark: numbers that the column can hold and no token can have.
func TestPoisonedMark(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		token := guardtest.Token(5, 0)
		for name, poison := range map[string]string{
			"negative": "epoch = -1", "zero": "epoch = 0", "no term": "term = ''", "a term in capitals": "term = 'ABCDEFABCDEFABCDEFABCDEFABCDEFAB'",
		} {
			t.Run(name, func(t *testing.T) {
				d := b.database(t)
				marks := d.marks()
				d.do(t, "DROP TABLE "+marks, "CREATE TABLE "+marks+" (scope VARCHAR(317) PRIMARY KEY, epoch BIGINT, term VARCHAR(32))")
				d.do(t, "INSERT INTO "+marks+" VALUES ('"+token.Scope+"', 4, '"+token.Term+"')", "UPDATE "+marks+" SET "+poison)
				c := d.client(t, d.admin)
				for _, err := range []error{
					c.Announce(t.Context(), token), c.Check(t.Context(), token), c.Write(t.Context(), token, "x", func() {}),
				} {
					require.ErrorContains(t, err, "damaged")
					require.NotErrorIs(t, err, fencing.ErrMalformed, "it is not the caller's mistake")
				}
				require.Empty(t, d.value(t))
			})
		}
	})
}
