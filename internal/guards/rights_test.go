package guards

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// role makes one, with a password, and returns its DSN.
func (d *database) role(t *testing.T, grants ...string) string {
	t.Helper()
	name := fmt.Sprintf("role_%d", names.Add(1))
	addr := d.server.server(t).Addr()
	if d.dialect == sqlfence.MySQL {
		d.do(t, "CREATE USER "+name+"@'127.0.0.1' IDENTIFIED BY 'secret-of-it'")
		for _, g := range grants {
			d.do(t, "GRANT "+g+" TO "+name+"@'127.0.0.1'")
		}
		return name + ":secret-of-it@tcp(" + addr + ")/hotseat"
	}
	d.do(t, "CREATE ROLE "+name+" LOGIN PASSWORD 'secret-of-it'")
	for _, g := range grants {
		d.do(t, "GRANT "+g+" TO "+name)
	}
	return "postgres://" + name + ":secret-of-it@" + addr + "/postgres?sslmode=disable"
}

// TestLeastRights: who only writes reads the marks, and cannot lower one. Who announces cannot delete one.
func TestLeastRights(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		own := "SELECT, INSERT, UPDATE, DELETE ON " + d.register()
		writers := d.connect(t, d.role(t, "SELECT ON "+d.marks(), own))
		writer := d.client(t, writers)
		announcer := d.client(t, d.connect(t, d.role(t, "SELECT, INSERT, UPDATE ON "+d.marks())))
		old, now, next := guardtest.Token(5, 0), guardtest.Token(6, 0), guardtest.Token(7, 0)
		require.NoError(t, announcer.Announce(t.Context(), old))
		require.NoError(t, writer.Write(t.Context(), old, "a", func() {}))
		if b.dialect == sqlfence.PostgreSQL {
			require.NoError(t, writer.Check(t.Context(), old), "seen, and committed behind")
		}
		require.NoError(t, writer.InTx(t.Context(), old, nil, func(ctx context.Context, tx *sql.Tx) error {
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			announced := make(chan error, 1)
			go func() { announced <- announcer.Announce(short, now) }()
			d.awaitWaiting(t, 1)
			cancel()
			return ignoreUnavailable(<-announced)
		}), "its lock holds")
		require.NoError(t, announcer.Announce(t.Context(), now))
		require.ErrorIs(t, writer.Write(t.Context(), old, "stale", func() {}), fencing.ErrStale)
		err := writer.Write(t.Context(), next, "not announced", func() {})
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorContains(t, err, d.marks())
		for _, s := range []string{
			"UPDATE " + d.marks() + " SET epoch = 1", "DELETE FROM " + d.marks(), "INSERT INTO " + d.marks() + " VALUES ('x', 1, 'x')",
		} {
			_, err := writers.ExecContext(t.Context(), s)
			require.ErrorContains(t, err, "denied", s)
		}
		if b.dialect == sqlfence.MySQL {
			_, err = writers.ExecContext(t.Context(), "CREATE TEMPORARY TABLE "+d.marks()+" (n INT)")
			require.ErrorContains(t, err, "denied", "it would stand in front of the table")
		}
		require.NoError(t, writer.Write(t.Context(), now, "b", func() {}))
		require.Equal(t, "b", d.value(t))
		if b.dialect == sqlfence.MySQL {
			require.NoError(t, writer.InTx(t.Context(), now, serializable(), nothing))
			return
		}

		// Stricter levels lock the row, which asks for UPDATE of any column: of one that says nothing.
		require.ErrorContains(t, writer.InTx(t.Context(), now, serializable(), nothing), "permission denied")
		d.do(t, "ALTER TABLE "+d.marks()+" ADD COLUMN lockable boolean", "GRANT UPDATE (lockable) ON "+d.marks()+" TO PUBLIC")
		require.NoError(t, writer.InTx(t.Context(), now, serializable(), nothing))
		require.ErrorIs(t, writer.InTx(t.Context(), old, serializable(), nothing), fencing.ErrStale)
		_, err = writers.ExecContext(t.Context(), "UPDATE "+d.marks()+" SET epoch = 1")
		require.ErrorContains(t, err, "permission denied")
	}, postgres, oneTrip, libpq, mariadb)
}

// TestSessionOfAStricterLevel: the level that the session has by default, which InTx is not told of.
func TestSessionOfAStricterLevel(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		for _, level := range []string{"repeatable read", "serializable", "read uncommitted"} {
			t.Run(level, func(t *testing.T) {
				d := b.database(t)
				c := d.client(t, d.connect(t, d.server.server(t).DSN()+"&default_transaction_isolation="+strings.ReplaceAll(level, " ", "%20")))
				old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
				require.NoError(t, c.Write(t.Context(), old, "a", func() {}))
				announced, stale := make(chan error, 1), make(chan error, 1)
				announcer := d.client(t, d.admin)
				require.NoError(t, c.InTx(t.Context(), old, nil, func(ctx context.Context, tx *sql.Tx) error {
					var got string
					require.NoError(t, tx.QueryRowContext(ctx, "SHOW transaction_isolation").Scan(&got))
					require.Equal(t, level, got)
					go func() { announced <- announcer.Announce(t.Context(), now) }()
					d.awaitWaiting(t, 1)
					go func() { stale <- c.Write(t.Context(), old, "stale", func() {}) }() // its snapshot is from before
					d.awaitWaiting(t, 2)
					return d.set(ctx, tx, "last of old")
				}))
				require.NoError(t, <-announced)
				require.ErrorIs(t, <-stale, fencing.ErrStale)
				require.NoError(t, c.InTx(t.Context(), now, nil, nothing))
				require.ErrorIs(t, c.InTx(t.Context(), old, nil, nothing), fencing.ErrStale)
				require.Equal(t, "last of old", d.value(t))
			})
		}
	}, postgres, oneTrip, libpq)
}

// TestTwoNamesOfOneTable are one guard: with its schema, and by the search_path.
func TestTwoNamesOfOneTable(t *testing.T) {
	schema := map[sqlfence.Dialect]string{sqlfence.PostgreSQL: "public.", sqlfence.MySQL: "hotseat."}
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		other, err := sqlfence.New(sqlfence.Config{DB: d.admin, Dialect: d.dialect, Table: schema[b.dialect] + d.marks()})
		require.NoError(t, err)
		announced := make(chan error, 1)
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			go func() { announced <- other.Announce(t.Context(), guardtest.Token(6, 0)) }()
			d.awaitWaiting(t, 1)
			return d.set(ctx, tx, "last of old")
		}))
		require.NoError(t, <-announced)
		require.ErrorIs(t, c.InTx(t.Context(), guardtest.Token(5, 0), nil, nothing), fencing.ErrStale)
	}, postgres, oneTrip, libpq, mariadb)
}

// TestWiring: what no retry mends says which table, and is told from a database that is away. No password shows.
func TestWiring(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		token := guardtest.Token(5, 0)
		wired := func(c *client, parts ...string) {
			t.Helper()
			for _, err := range []error{c.Announce(t.Context(), token), c.InTx(t.Context(), token, nil, nothing), c.InTx(t.Context(), token, serializable(), nothing)} {
				require.ErrorIs(t, err, fencing.ErrWiring)
				require.ErrorIs(t, err, fencing.ErrUnavailable)
				require.NotContains(t, err.Error(), "secret")
				for _, part := range append(parts, d.marks()) {
					require.ErrorContains(t, err, part)
				}
			}
		}
		d.do(t, "ALTER TABLE "+d.marks()+" RENAME TO away_"+d.marks())
		wired(c, "Guard.Schema makes")
		_, err := c.Mark(t.Context(), token.Scope)
		require.ErrorIs(t, err, fencing.ErrWiring)
		d.do(t, "CREATE TABLE "+d.marks()+" (scope VARCHAR(317) PRIMARY KEY, number INT)")
		wired(c)
		d.do(t, "DROP TABLE "+d.marks(), "ALTER TABLE away_"+d.marks()+" RENAME TO "+d.marks())
		require.NoError(t, c.Announce(t.Context(), token), "once it is there")
		if b.dialect == sqlfence.SQLite {
			return
		}

		dsn := d.role(t)
		wired(d.client(t, d.connect(t, dsn)), "denied")
		if b.dialect == sqlfence.MySQL { // PostgreSQL's test server asks for no password
			wired(d.client(t, d.connect(t, strings.Replace(dsn, "secret-of-it", "secret-no-more", 1))), "denied")
		}
		wired(d.client(t, d.connect(t, strings.NewReplacer("/postgres?", "/nosuch?", "/hotseat", "/nosuch").Replace(dsn))), "nosuch")
		nobody, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, nobody.Close())
		away := d.client(t, d.connect(t, strings.Replace(dsn, d.server.server(t).Addr(), nobody.Addr().String(), 1)))
		err = away.Announce(t.Context(), token)
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.NotErrorIs(t, err, fencing.ErrWiring, "it may come back")
		require.NotContains(t, err.Error(), "secret")
	})
}

// TestBusySQLite: what it waited for is said.
func TestBusySQLite(t *testing.T) {
	d := sqlite.database(t)
	c := d.client(t, d.admin)
	require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
	tx, err := d.open(t, nil).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	require.NoError(t, d.set(t.Context(), tx, "of somebody who knows no guard"))
	db := d.single(t)
	_, err = db.ExecContext(t.Context(), "PRAGMA busy_timeout = 100")
	require.NoError(t, err)
	waits := d.client(t, db)
	for _, err := range []error{waits.Announce(t.Context(), guardtest.Token(6, 0)), waits.Write(t.Context(), guardtest.Token(5, 0), "x", func() {})} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.NotErrorIs(t, err, fencing.ErrWiring)
		require.ErrorContains(t, err, "the one lock that all writers of the database share")
	}
}
