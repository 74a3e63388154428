package guards

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// own returns b over a server of its own.
func (b backend) own(t *testing.T, args ...string) (backend, *services.Server) {
	t.Helper()
	run := services.Postgres
	if b.dialect == sqlfence.MySQL {
		run = services.MariaDB
	}
	s := run(t, args...)
	b.server = &shared{begin: func(context.Context, ...string) (*services.Server, error) { return s, nil }}
	return b, s
}

// TestMarkOutlivesACrash though the session's commits do not wait for the disk: a raised mark, and one that was only seen.
func TestMarkOutlivesACrash(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		b, s := b.own(t, "-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s", "-c", "wal_writer_flush_after=1GB")
		d := b.database(t)
		c := d.client(t, d.admin)
		old, next, last := guardtest.Token(5, 0), guardtest.Token(6, 0), guardtest.Token(7, 0)
		require.NoError(t, c.Announce(t.Context(), old))
		d.do(t, "CHECKPOINT")
		require.NoError(t, c.Announce(t.Context(), next))
		require.NoError(t, s.Restart(t.Context()))
		require.ErrorIs(t, settled(t, func() error { return c.InTx(t.Context(), old, nil, nothing) }), fencing.ErrStale)

		// What another raised without waiting for the disk, as one does that was cancelled.
		d.do(t, "UPDATE "+d.marks()+" SET epoch = 7, term = '"+last.Term+"'")
		require.NoError(t, d.client(t, d.open(t, nil)).Announce(t.Context(), last))
		require.NoError(t, s.Restart(t.Context()))
		require.ErrorIs(t, settled(t, func() error { return c.InTx(t.Context(), next, nil, nothing) }), fencing.ErrStale)

		// And one that InTx announces.
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(8, 0), nil, nothing))
		require.NoError(t, s.Restart(t.Context()))
		require.ErrorIs(t, settled(t, func() error { return c.InTx(t.Context(), last, nil, nothing) }), fencing.ErrStale)
	}, postgres, oneTrip, libpq)
}

// settled is what do answers once the server does.
func settled(t *testing.T, do func() error) error {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		err = do()
		return ignoreUnavailable(err) != nil || err == nil
	}, soon, 20*time.Millisecond)
	return err
}

// TestSynchronousStandbyHangs, and is promoted: an announcement that was given up, and is then seen on the primary, is no
// announcement until the standby has it.
func TestSynchronousStandbyHangs(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		b, primary := b.own(t)
		d := b.database(t)
		c := d.client(t, d.admin)
		standby := services.PostgresStandby(t, primary, "second")
		d.do(t, "ALTER SYSTEM SET synchronous_standby_names = 'second'", "SELECT pg_reload_conf()")
		require.Eventually(t, func() bool {
			var n int
			return d.admin.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n) == nil && n == 1
		}, soon, 20*time.Millisecond)
		old, next := guardtest.Token(5, 0), guardtest.Token(6, 0)
		require.NoError(t, c.Write(t.Context(), old, "kept", func() {}))

		var sender int // a network that is cut
		require.NoError(t, d.admin.QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_replication").Scan(&sender))
		require.NoError(t, syscall.Kill(sender, syscall.SIGSTOP))
		announce := func(c *client) error {
			short, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			return c.Announce(short, next)
		}
		require.ErrorIs(t, announce(c), fencing.ErrUnavailable)
		require.Eventually(t, func() bool { // the server gave up waiting
			mark, err := c.Mark(t.Context(), next.Scope)
			return err == nil && mark == next
		}, soon, 20*time.Millisecond)
		for _, c := range []*client{c, d.client(t, d.open(t, nil)), c} {
			require.ErrorIs(t, announce(c), fencing.ErrUnavailable, "seen is not announced")
		}

		primary.Kill()
		promoted, err := sql.Open("pgx", standby.DSN())
		require.NoError(t, err)
		defer func() { _ = promoted.Close() }()
		_, err = promoted.ExecContext(t.Context(), "SELECT pg_promote()")
		require.NoError(t, err)
		pc := d.client(t, promoted)
		require.NoError(t, pc.InTx(t.Context(), old, nil, nothing), "nobody was told otherwise")
		require.NoError(t, pc.Announce(t.Context(), next))
		require.ErrorIs(t, pc.InTx(t.Context(), old, nil, nothing), fencing.ErrStale)
	}, postgres, oneTrip, libpq)
}

// TestAnnounceAsksNoStandby: what is the mark on a standby says nothing of the primary, and something has to commit.
func TestAnnounceAsksNoStandby(t *testing.T) {
	b, primary := postgres.own(t, "-c", "fsync=off")
	d := b.database(t)
	token := guardtest.Token(5, 0)
	require.NoError(t, d.client(t, d.admin).Announce(t.Context(), token))
	standby := services.PostgresStandby(t, primary, "second")
	reading, err := sql.Open("pgx", standby.DSN())
	require.NoError(t, err)
	defer func() { _ = reading.Close() }()
	require.ErrorIs(t, d.client(t, reading).Announce(t.Context(), token), fencing.ErrUnavailable)
}

// TestSeenMarkIsCommittedBehind: by who did not raise it, once. MariaDB shows a commit before it is on the disk, and to a replica.
func TestSeenMarkIsCommittedBehind(t *testing.T) {
	position := map[sqlfence.Dialect]string{
		sqlfence.PostgreSQL: "SELECT pg_current_wal_insert_lsn() - '0/0'",
		sqlfence.MySQL:      "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'binlog_commits'",
	}
	each(t, func(t *testing.T, b backend) {
		b, _ = b.own(t, map[sqlfence.Dialect][]string{
			sqlfence.PostgreSQL: {"-c", "autovacuum=off", "-c", "bgwriter_lru_maxpages=0"}, sqlfence.MySQL: {"--log-bin", "--sync-binlog=1"},
		}[b.dialect]...)
		d := b.database(t)
		token := guardtest.Token(5, 0)
		at := func() (n int64) {
			require.NoError(t, d.admin.QueryRowContext(t.Context(), position[b.dialect]).Scan(&n))
			return n
		}
		require.NoError(t, d.client(t, d.admin).Announce(t.Context(), token))
		other := d.client(t, d.admin)
		before := at()
		require.NoError(t, other.Announce(t.Context(), token))
		proven := at()
		require.Greater(t, proven, before)
		require.NoError(t, other.Announce(t.Context(), token))
		require.NoError(t, d.client(t, d.admin).Write(t.Context(), token, "x", func() {}), "which commits by itself")
		mark, err := other.Mark(t.Context(), token.Scope)
		require.NoError(t, err)
		require.Equal(t, token, mark)
	}, postgres, mariadb)
}

// TestForgetfulDatabaseIsTold, or refused.
func TestForgetfulDatabaseIsTold(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		setting := map[sqlfence.Dialect]string{
			sqlfence.PostgreSQL: "fsync = off", sqlfence.MySQL: "innodb_flush_log_at_trx_commit = 2", sqlfence.SQLite: "synchronous = 0",
		}[b.dialect]
		d := b.database(t)
		epoch := int64(5)
		announce := func(require bool, db *sql.DB) (said string, err error) {
			var log bytes.Buffer
			g, err := sqlfence.New(sqlfence.Config{
				DB: db, Dialect: d.dialect, Table: d.marks(), RequireDurable: require, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			for range 2 {
				if epoch++; err == nil {
					err = g.Announce(t.Context(), guardtest.Token(epoch, 0))
				}
			}
			return log.String(), err
		}
		said, err := announce(false, d.admin)
		require.NoError(t, err)
		require.Contains(t, said, strconv.Quote(setting))
		require.Equal(t, 1, bytes.Count([]byte(said), []byte("\n")), "once")
		_, err = announce(true, d.admin)
		require.ErrorContains(t, err, setting)
		require.ErrorIs(t, err, fencing.ErrWiring, "it is set up so")
		require.ErrorIs(t, err, fencing.ErrUnavailable)

		if b.dialect == sqlfence.SQLite {
			db, err := sql.Open("sqlite", "file:"+d.file)
			require.NoError(t, err)
			defer func() { _ = db.Close() }()
			said, err = announce(true, db)
			require.NoError(t, err)
			require.Empty(t, said)
			return
		}
		b, _ = b.own(t)
		d = b.database(t)
		said, err = announce(true, d.admin)
		require.NoError(t, err)
		require.Empty(t, said)
	}, postgres, mariadb, sqlite)
}

// TestSQLiteMarkIsOnTheDiskFirst, whatever the connection's other transactions ask for.
func TestSQLiteMarkIsOnTheDiskFirst(t *testing.T) {
	d := sqlite.database(t) // synchronous is OFF
	d.do(t, "CREATE TABLE seen (synchronous INT)", "PRAGMA trusted_schema = ON")
	db := d.single(t)
	for _, event := range []string{"INSERT", "UPDATE OF epoch"} {
		d.do(t, "CREATE TRIGGER seen_"+event[:6]+" AFTER "+event+" ON "+d.marks()+
			" BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END")
	}
	c := d.client(t, db)
	const off, extra = 0, 3
	synchronous := func(query string) (n int) {
		require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
	require.NoError(t, c.InTx(t.Context(), guardtest.Token(6, 0), nil, nothing), "which announces")
	require.NoError(t, c.Write(t.Context(), guardtest.Token(6, 0), "x", func() {}))
	require.Equal(t, 2, synchronous("SELECT count(*) FROM seen"))
	require.Equal(t, extra, synchronous("SELECT min(synchronous) FROM seen"))
	require.Equal(t, off, synchronous("PRAGMA synchronous"), "as it was")
}
