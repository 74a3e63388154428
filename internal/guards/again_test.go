package guards

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestOwnAnnouncementRefusesNobody: transactions of the term that is just being announced, at each level, first come or last.
func TestOwnAnnouncementRefusesNobody(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelRepeatableRead, sql.LevelSerializable} {
			t.Run(level.String(), func(t *testing.T) {
				d := b.database(t)
				writers, announcer := d.open(t, nil), d.client(t, d.admin)
				var epoch, calls, done atomic.Int64
				epoch.Store(1)
				until := time.Now().Add(1500 * time.Millisecond)
				var all sync.WaitGroup
				for w := range 8 {
					c := d.client(t, writers)
					all.Go(func() {
						for i := 0; time.Now().Before(until); i++ {
							token := guardtest.Token(epoch.Load(), 0)
							err := c.InTx(t.Context(), token, &sql.TxOptions{Isolation: level}, func(ctx context.Context, tx *sql.Tx) error {
								calls.Add(1)
								_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, 'x')", d.register(), w*1_000_000+i))
								return err
							})
							if err == nil {
								done.Add(1)
							} else if !guardtestStale(err) {
								t.Errorf("%v", err)
							}
						}
					})
				}
				for n := int64(2); time.Now().Before(until); n++ {
					epoch.Store(n) // its transactions begin while it is announced
					require.NoError(t, announcer.Announce(t.Context(), guardtest.Token(n, 0)))
					time.Sleep(5 * time.Millisecond)
				}
				all.Wait()
				var rows int64
				require.NoError(t, d.admin.QueryRowContext(t.Context(), "SELECT count(*) FROM "+d.register()).Scan(&rows))
				require.Equal(t, done.Load(), rows)
				require.NotZero(t, rows)
				require.LessOrEqual(t, done.Load(), calls.Load())
			})
		}
	}, postgres, oneTrip, libpq, mariadb)
}

func guardtestStale(err error) bool {
	presented, mark := fencing.Refusal(err)
	return !presented.IsZero() && presented.Epoch < mark.Epoch
}

// TestInTxWithinInTx would wait for itself once somebody newer waits.
func TestInTxWithinInTx(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		token, other := guardtest.Token(5, 0), guardtest.Token(5, 0)
		other.Scope = "shop/other"
		announced := make(chan error, 1)
		kept := make(chan context.Context, 1)
		began := time.Now()
		err := c.InTx(t.Context(), token, nil, func(ctx context.Context, _ *sql.Tx) error {
			kept <- ctx
			if b.dialect != sqlfence.SQLite {
				require.NoError(t, c.InTx(ctx, other, nil, nothing), "another scope")
			}
			go func() { announced <- c.Announce(t.Context(), guardtest.Token(6, 0)) }()
			return c.InTx(ctx, token, nil, nothing)
		})
		require.ErrorContains(t, err, "InTx within InTx")
		require.NotErrorIs(t, err, fencing.ErrUnavailable)
		require.Less(t, time.Since(began), 10*time.Second)
		require.NoError(t, <-announced)
		require.NoError(t, c.InTx(<-kept, guardtest.Token(6, 0), nil, nothing), "when the outer one is over")
	})
}

// TestFnThatBeginsAnother transaction behind the fenced one: what it writes there is not committed, and InTx says so.
func TestFnThatBeginsAnother(t *testing.T) {
	ends := map[sqlfence.Dialect][]string{
		sqlfence.PostgreSQL: {"COMMIT; BEGIN", "ROLLBACK; BEGIN", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"},
		sqlfence.MySQL:      {"COMMIT", "ROLLBACK", "COMMIT AND CHAIN"},
		sqlfence.SQLite:     {"COMMIT; BEGIN", "ROLLBACK; BEGIN"},
	}
	each(t, func(t *testing.T, b backend) {
		for _, end := range ends[b.dialect] {
			t.Run(end, func(t *testing.T) {
				d := b.database(t)
				c := d.client(t, d.single(t))
				err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
					if _, err := tx.ExecContext(ctx, end); err != nil {
						return err
					}
					require.NoError(t, d.client(t, d.admin).Announce(ctx, guardtest.Token(6, 0)))
					return d.set(ctx, tx, "stale")
				})
				require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
				require.Empty(t, d.value(t))
				require.NoError(t, c.Write(t.Context(), guardtest.Token(6, 0), "kept", func() {}))
				require.Equal(t, "kept", d.value(t))
			})
		}
	}, oneTrip, libpq, mariadb, sqlite)
}

// TestRowMarksOfOneOfTwoTables: an upsert, and a join with another table that has marks.
func TestRowMarksOfOneOfTwoTables(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		rows := d.register()
		d.do(t, "ALTER TABLE "+rows+" ADD fence_epoch BIGINT", "ALTER TABLE "+rows+" ADD fence_term CHAR(32)")
		c := d.client(t, d.admin)
		put := func(epoch int64, value string) (changed int64) {
			token := guardtest.Token(epoch, 0)
			set, err := c.RowSet(token)
			require.NoError(t, err)
			where, err := c.RowWhere(token, rows)
			require.NoError(t, err)
			insert := fmt.Sprintf("INSERT INTO %s (id, value, fence_epoch, fence_term) VALUES (1, '%s', %d, '%s')", rows, value, epoch, token.Term)
			statements := []string{insert + " ON CONFLICT (id) DO UPDATE SET value = excluded.value, " + set + " WHERE " + where}
			if b.dialect == sqlfence.MySQL {
				statements = []string{
					"INSERT IGNORE INTO " + rows + " (id, value) VALUES (1, '')",
					fmt.Sprintf("UPDATE %s, (SELECT 1 AS fence_epoch) o SET value = '%s', %s.%s WHERE id = 1 AND %s", rows, value, rows,
						"fence_term = '"+token.Term+"', "+rows+".fence_epoch = "+fmt.Sprint(epoch), where),
				}
			}
			for _, s := range statements {
				result, err := d.admin.ExecContext(t.Context(), s)
				require.NoError(t, err, s)
				changed, err = result.RowsAffected()
				require.NoError(t, err)
			}
			return changed
		}
		require.NotZero(t, put(5, "a"))
		require.NotZero(t, put(6, "b"))
		require.Zero(t, put(5, "stale"))
		require.Equal(t, "b", d.value(t))
		_, err := c.RowWhere(guardtest.Token(5, 0), "a b")
		require.ErrorContains(t, err, "table: name is")
		_, err = c.RowWhere(guardtest.Token(5, 0), "a", "b")
		require.ErrorContains(t, err, "RowWhere of 2 tables")
	})
}
