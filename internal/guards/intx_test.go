package guards

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// soon bounds waits for what must come; far above what any server needs.
const soon = time.Minute

func nothing(context.Context, *sql.Tx) error { return nil }

// TestTransactionsOfOneTermRunSideBySide: each waits inside for the other.
func TestTransactionsOfOneTermRunSideBySide(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		g := b.database(t)
		c := g.client(t, g.admin)
		token := guardtest.Token(5, 0)
		require.NoError(t, c.Announce(ctx, token))
		meet, done := make(chan struct{}), make(chan error)
		for range 2 {
			go func() {
				done <- c.InTx(ctx, token, nil, func(ctx context.Context, _ *sql.Tx) error {
					select {
					case meet <- struct{}{}:
					case <-meet:
					case <-ctx.Done():
						return context.Cause(ctx)
					}
					return nil
				})
			}()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		// Nor does announcing the same token again wait for them.
		require.NoError(t, c.InTx(ctx, token, nil, func(ctx context.Context, _ *sql.Tx) error {
			return errors.Join(c.Announce(ctx, token), c.Check(ctx, token))
		}))
	}, postgres, oneTrip, libpq, mariadb)
}

// TestBusyLeaderDoesNotStarveItsSuccessor: at no instant is there no transaction
// of the leader.
func TestBusyLeaderDoesNotStarveItsSuccessor(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		d := b.database(t)
		c := d.client(t, d.admin)
		old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
		require.NoError(t, c.Announce(ctx, old))
		// Each hands on to the next from inside its own transaction, unless the next has to wait.
		const handOn = 300 * time.Millisecond
		entered := make(chan struct{}, 100)
		ended := make(chan error, 100)
		write := func() {
			ended <- c.InTx(ctx, old, nil, func(ctx context.Context, _ *sql.Tx) error {
				entered <- struct{}{}
				select {
				case <-time.After(handOn):
				case <-ctx.Done():
				}
				return nil
			})
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		running := 0
		go func() {
			defer close(stopped)
			for {
				go write()
				running++
				select {
				case <-stop:
					return
				case <-time.After(handOn / 3):
				}
			}
		}()
		<-entered
		err := c.Announce(ctx, next)
		close(stop)
		<-stopped
		refused := 0
		for range running {
			if errors.Is(<-ended, fencing.ErrStale) {
				refused++
			}
		}
		require.NoError(t, err)
		require.NotZero(t, refused, "those that came while the successor waited")
	}, postgres, oneTrip, libpq, mariadb)
}

// TestSuccessorThatMayNotWait: a context, or the server's own lock timeout, ends
// the wait. Nothing changed then, and a retry succeeds once the leader's transaction is over.
func TestSuccessorThatMayNotWait(t *testing.T) {
	limit := map[sqlfence.Dialect]string{
		sqlfence.PostgreSQL: "SET lock_timeout = '100ms'", sqlfence.MySQL: "SET innodb_lock_wait_timeout = 1",
		sqlfence.SQLite: "PRAGMA busy_timeout = 100",
	}
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
		require.NoError(t, c.InTx(t.Context(), old, nil, func(ctx context.Context, tx *sql.Tx) error {
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, c.Announce(short, next), fencing.ErrUnavailable)

			db := d.single(t)
			_, err := db.ExecContext(ctx, limit[b.dialect])
			require.NoError(t, err)
			require.ErrorIs(t, d.client(t, db).Announce(ctx, next), fencing.ErrUnavailable)
			return d.set(ctx, tx, "old")
		}), "the leader's transaction is not hurt")
		mark, err := c.Mark(t.Context(), old.Scope)
		require.NoError(t, err)
		require.Equal(t, old, mark)
		require.Equal(t, "old", d.value(t))
		require.NoError(t, c.Announce(t.Context(), next))
		require.ErrorIs(t, c.InTx(t.Context(), old, nil, nothing), fencing.ErrStale)
	})
}

// TestIsolation: at each level fn sees what its predecessor committed last, also when its
// own lock had to wait, and a stale transaction is refused as such.
func TestIsolation(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
			if b.dialect == sqlfence.SQLite && level != sql.LevelDefault && level != sql.LevelSerializable {
				continue
			}
			t.Run(level.String(), func(t *testing.T) {
				d := b.database(t)
				c := d.client(t, d.admin)
				opts := &sql.TxOptions{Isolation: level}
				old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
				require.NoError(t, c.Announce(t.Context(), old))
				seen, errs := "", make(chan error, 2)
				require.NoError(t, c.InTx(t.Context(), old, opts, func(ctx context.Context, tx *sql.Tx) error {
					go func() {
						errs <- c.InTx(t.Context(), next, opts, func(ctx context.Context, tx *sql.Tx) error {
							return tx.QueryRowContext(ctx, "SELECT value FROM "+d.register()).Scan(&seen)
						})
					}()
					d.awaitWaiting(t, 1)
					go func() { // comes behind it, where locks queue
						err := c.InTx(t.Context(), old, opts, func(ctx context.Context, tx *sql.Tx) error {
							return d.set(ctx, tx, "stale")
						})
						if b.dialect != sqlfence.PostgreSQL { // which says serialization failure, and InTx why
							err = ignoreUnavailable(err)
						}
						errs <- err
					}()
					d.awaitWaiting(t, 2)
					return d.set(ctx, tx, "last of old")
				}))
				for range 2 {
					if err := <-errs; err != nil {
						require.ErrorIs(t, err, fencing.ErrStale)
						var stale *fencing.StaleError
						require.ErrorAs(t, err, &stale)
						require.Equal(t, old, stale.Presented)
					}
				}
				require.Equal(t, seen, d.value(t), "nothing of old lands after the successor looked")
				if b.dialect != sqlfence.SQLite { // whose lock has no queue: the stale one may be first, before anything is announced
					require.Equal(t, "last of old", seen)
				}
				require.ErrorIs(t, c.InTx(t.Context(), old, opts, nothing), fencing.ErrStale)
			})
		}
	})
}

// TestNoSchema: the error says what to do.
func TestNoSchema(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		d.do(t, "DROP TABLE "+d.marks())
		c := d.client(t, d.admin)
		for _, err := range []error{c.Announce(t.Context(), guardtest.Token(5, 0)), c.InTx(t.Context(), guardtest.Token(5, 0), nil, nothing)} {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.ErrorContains(t, err, "Guard.Schema makes")
		}
	}, postgres, oneTrip, libpq)
}

// awaitWaiting returns when n transactions wait for locks, by what the server says.
func (d *database) awaitWaiting(t *testing.T, n int) {
	t.Helper()
	query := map[sqlfence.Dialect]string{
		sqlfence.PostgreSQL: "SELECT count(*) FROM pg_locks WHERE NOT granted",
		sqlfence.MySQL:      "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
	}[d.dialect]
	if d.dialect != sqlfence.PostgreSQL {
		time.Sleep(200 * time.Millisecond) // InnoDB says what it said before to who asks again within 100 ms
	}
	if query == "" {
		return
	}
	require.Eventually(t, func() bool {
		var waiting int
		err := d.admin.QueryRowContext(t.Context(), query).Scan(&waiting)
		return err == nil && waiting >= n
	}, soon, 300*time.Millisecond)
}

// ignoreUnavailable: a database may answer a deadlock or a busy file with a failure.
func ignoreUnavailable(err error) error {
	if errors.Is(err, fencing.ErrUnavailable) {
		return nil
	}
	return err
}

// TestWhatFnDoes: its errors and panics, and the end of its context, roll back.
func TestWhatFnDoes(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		token := guardtest.Token(5, 0)
		mine := errors.New("mine")
		err := c.InTx(t.Context(), token, nil, func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(d.set(ctx, tx, "x"), mine)
		})
		require.ErrorIs(t, err, mine)
		require.PanicsWithValue(t, "boom", func() {
			_ = c.InTx(t.Context(), token, nil, func(ctx context.Context, tx *sql.Tx) error {
				require.NoError(t, d.set(ctx, tx, "x"))
				panic("boom")
			})
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		err = c.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "x"))
			cancel(mine)
			return nil
		})
		require.ErrorIs(t, err, mine)
		require.NotErrorIs(t, err, sqlfence.ErrCommitUnknown)
		require.Empty(t, d.value(t))
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(6, 0)), "no lock is left")
	})
}
