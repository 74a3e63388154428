//go:build unix

package pgxfence_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// shared is a server that many tests use, each with tables of its own.
type shared struct {
	args []string
	once sync.Once
	s    *services.Server
	err  error
}

var (
	quick        = &shared{args: []string{"-c", "fsync=off"}}
	asynchronous = &shared{args: []string{"-c", "synchronous_commit=off"}} // fsync is on
)

func (s *shared) server(tb testing.TB) *services.Server {
	tb.Helper()
	s.once.Do(func() { s.s, s.err = services.StartPostgres(context.Background(), s.args...) })
	services.Need(tb, s.err)
	return s.s
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range []*shared{quick, asynchronous} {
		if s.s != nil {
			s.s.Close()
		}
	}
	os.Exit(code)
}

var names atomic.Int64

// database is a register behind a guard, in tables of its own.
type database struct {
	shared *shared
	n      int64
	odds   int           // of lost connections
	opts   pgx.TxOptions // of its writes
	admin  *pgxpool.Pool
}

func newDatabase(tb testing.TB, on *shared) *database {
	tb.Helper()
	d := &database{shared: on, n: names.Add(1)}
	d.admin = d.pool(tb, "", 0)
	d.do(tb, d.guard(tb, d.admin).Schema())
	d.do(tb, "CREATE TABLE "+d.register()+" (id INT PRIMARY KEY, value VARCHAR(80) NOT NULL)")
	return d
}

func (d *database) marks() string    { return fmt.Sprintf("marks_%d", d.n) }
func (d *database) register() string { return fmt.Sprintf("register_%d", d.n) }

// pool connects, by another address than the server's if it is not "", with at most so many
// connections if it is not 0.
func (d *database) pool(tb testing.TB, addr string, most int32) *pgxpool.Pool {
	tb.Helper()
	dsn := d.shared.server(tb).DSN()
	if addr != "" {
		dsn = d.shared.server(tb).DSNVia(addr)
	}
	return d.connect(tb, dsn, most)
}

func (d *database) connect(tb testing.TB, dsn string, most int32) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(tb, err)
	if most > 0 {
		config.MaxConns = most
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

func (d *database) guard(tb testing.TB, pool *pgxpool.Pool) *pgxfence.Guard {
	tb.Helper()
	return d.guardWith(tb, pgxfence.Config{Pool: pool})
}

func (d *database) guardWith(tb testing.TB, cfg pgxfence.Config) *pgxfence.Guard {
	tb.Helper()
	cfg.Table, cfg.Logger = d.marks(), slog.New(slog.DiscardHandler)
	g, err := pgxfence.New(cfg)
	require.NoError(tb, err)
	return g
}

func (d *database) do(tb testing.TB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := d.admin.Exec(tb.Context(), s)
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

func (d *database) client(tb testing.TB, pool *pgxpool.Pool) *client {
	tb.Helper()
	return &client{Guard: d.guard(tb, pool), pool: pool, database: d}
}

func (d *database) Client(tb testing.TB) guardtest.Client {
	if d.odds == 0 {
		return d.client(tb, d.pool(tb, "", 0))
	}
	link := guardtest.NewLink(tb, d.shared.server(tb).Addr(), d.odds)
	return d.client(tb, d.pool(tb, link.Addr(), 0))
}

type client struct {
	*pgxfence.Guard
	pool     *pgxpool.Pool
	database *database
}

func (c *client) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	return c.InTx(ctx, t, c.database.opts, func(ctx context.Context, tx pgx.Tx) error {
		between()
		return c.database.set(ctx, tx, value)
	})
}

// set writes the register.
func (d *database) set(ctx context.Context, tx pgx.Tx, value string) error {
	_, err := tx.Exec(ctx, "INSERT INTO "+d.register()+" (id, value) VALUES (1, $1)"+
		" ON CONFLICT (id) DO UPDATE SET value = excluded.value", value)
	return err
}

func (c *client) Read(ctx context.Context) (string, error) {
	var value string
	err := c.pool.QueryRow(ctx, "SELECT coalesce(max(value), '') FROM "+c.database.register()).Scan(&value)
	return value, err
}

func idle() {}

func nothing(context.Context, pgx.Tx) error { return nil }
