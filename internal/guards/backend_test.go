package guards

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql" // a driver under test
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // and another

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// backend is a kind of database.
type backend struct {
	name      string
	dialect   sqlfence.Dialect
	driver    string
	connector func(dsn string) (driver.Connector, error) // under sqlfence.Connector; nil: the driver by itself
	server    *shared                                    // nil: SQLite, a file for each database
}

var (
	postgres = backend{"PostgreSQL", sqlfence.PostgreSQL, "pgx", nil, &sharedPostgres}
	oneTrip  = backend{"PostgreSQL, Connector", sqlfence.PostgreSQL, "pgx", viaPgx, &sharedPostgres}
	libpq    = backend{"PostgreSQL, Connector over lib pq", sqlfence.PostgreSQL, "postgres", viaPQ, &sharedPostgres}
	mariadb  = backend{"MariaDB", sqlfence.MySQL, "mysql", nil, &sharedMariaDB}
	sqlite   = backend{"SQLite", sqlfence.SQLite, "sqlite", nil, nil}

	asynchronous = backend{"PostgreSQL, Connector, asynchronous commits", sqlfence.PostgreSQL, "pgx", viaPgx, &sharedAsynchronous}
)

func suites() []backend { return []backend{postgres, oneTrip, libpq, asynchronous, mariadb, sqlite} }

func viaPgx(dsn string) (driver.Connector, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*config), nil
}

func viaPQ(dsn string) (driver.Connector, error) { return pq.NewConnector(dsn) }

// each runs a test on every backend.
func each(t *testing.T, test func(*testing.T, backend), backends ...backend) {
	t.Helper()
	if len(backends) == 0 {
		backends = []backend{postgres, oneTrip, libpq, mariadb, sqlite}
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

var names atomic.Int64

// database is a register behind a guard, in tables of its own.
type database struct {
	backend
	n     int64
	file  string
	odds  int            // of lost connections
	opts  *sql.TxOptions // of its writes
	admin *sql.DB
}

func (b backend) database(tb testing.TB) *database {
	tb.Helper()
	d := &database{backend: b, n: names.Add(1), file: filepath.Join(tb.TempDir(), "db")}
	d.admin = d.open(tb, nil)
	d.do(tb, d.guard(tb, d.admin).Schema())
	d.do(tb, "CREATE TABLE "+d.register()+" (id INT PRIMARY KEY, value VARCHAR(80) NOT NULL)")
	return d
}

func (d *database) marks() string    { return fmt.Sprintf("marks_%d", d.n) }
func (d *database) register() string { return fmt.Sprintf("register_%d", d.n) }

// open connects, through a link if there is one.
func (d *database) open(tb testing.TB, link *guardtest.Link) *sql.DB {
	tb.Helper()
	if link != nil {
		return d.openAt(tb, link.Addr())
	}
	return d.openAt(tb, "")
}

// openAt connects by another address than the server's, if it is not "".
func (d *database) openAt(tb testing.TB, addr string) *sql.DB {
	tb.Helper()
	dsn := "file:" + d.file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	if d.server != nil {
		s := d.server.server(tb)
		dsn = s.DSN()
		if addr != "" {
			dsn = s.DSNVia(addr)
		}
	}
	return d.connect(tb, dsn)
}

func (d *database) connect(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	if d.driver == "mysql" {
		dsn += "?clientFoundRows=true"
	}
	var db *sql.DB
	var err error
	if d.connector != nil {
		var c driver.Connector
		c, err = d.connector(dsn)
		db = sql.OpenDB(sqlfence.Connector(c))
	} else {
		db, err = sql.Open(d.driver, dsn)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// single is a pool of one connection.
func (d *database) single(tb testing.TB) *sql.DB {
	tb.Helper()
	db := d.open(tb, nil)
	db.SetMaxOpenConns(1)
	return db
}

func (d *database) link(tb testing.TB, odds int) *guardtest.Link {
	tb.Helper()
	return guardtest.NewLink(tb, d.server.server(tb).Addr(), odds)
}

func (d *database) guard(tb testing.TB, db *sql.DB) *sqlfence.Guard {
	tb.Helper()
	g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: d.dialect, Table: d.marks(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(tb, err)
	return g
}

func (d *database) do(tb testing.TB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := d.admin.ExecContext(tb.Context(), s)
		require.NoError(tb, err, s)
	}
}

// value is the register's, or "".
func (d *database) value(tb testing.TB) string {
	tb.Helper()
	value, err := d.client(tb, d.admin).Read(tb.Context())
	require.NoError(tb, err)
	return value
}

// client is a client of the register, of other tests too.
func (d *database) client(tb testing.TB, db *sql.DB) *client {
	tb.Helper()
	return &client{Guard: d.guard(tb, db), db: db, database: d}
}

func (d *database) Client(tb testing.TB) guardtest.Client {
	if d.odds == 0 {
		return d.client(tb, d.open(tb, nil))
	}
	if d.server == nil {
		return guardtest.Lossy(tb, d.client(tb, d.open(tb, nil)))
	}
	return d.client(tb, d.open(tb, d.link(tb, d.odds)))
}

type client struct {
	*sqlfence.Guard
	db       *sql.DB
	database *database
}

func (c *client) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	return c.InTx(ctx, t, c.database.opts, func(ctx context.Context, tx *sql.Tx) error {
		between()
		return c.database.set(ctx, tx, value)
	})
}

// set writes the register. Its values need no quotes.
func (d *database) set(ctx context.Context, tx *sql.Tx, value string) error {
	conflict := "CONFLICT (id) DO UPDATE SET value = excluded.value"
	if d.dialect == sqlfence.MySQL {
		conflict = "DUPLICATE KEY UPDATE value = VALUES(value)"
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO "+d.register()+" (id, value) VALUES (1, '"+value+"') ON "+conflict)
	return err
}

func (c *client) Read(ctx context.Context) (string, error) {
	var value string
	err := c.db.QueryRowContext(ctx, "SELECT coalesce(max(value), '') FROM "+c.database.register()).Scan(&value)
	return value, err
}
