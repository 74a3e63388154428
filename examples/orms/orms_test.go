//go:build unix

package orms

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/gorm"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/services"
)

var server *services.Server // of all tests

func TestMain(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.Close()
	}
	os.Exit(code)
}

func token(epoch int64) fencing.Token {
	return fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: epoch, Term: strings.Repeat("0a", 16)}
}

// shop is a fresh database with one invoice, and both kinds of pool and guard.
type shop struct {
	db     *sql.DB
	pool   *pgxpool.Pool
	guard  *sqlfence.Guard
	native *pgxfence.Guard
}

func newShop(t *testing.T) *shop {
	t.Helper()
	if server == nil {
		s, err := services.StartPostgres(context.Background(), "-c", "fsync=off")
		services.Need(t, err)
		server = s
	}
	name := strings.ToLower(strings.NewReplacer("/", "_", " ", "_", ",", "").Replace(t.Name()))
	admin, err := pgx.Connect(t.Context(), server.DSN())
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), `CREATE DATABASE "`+name+`"`)
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))

	dsn := strings.Replace(server.DSN(), "/postgres?", "/"+name+"?", 1)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	s := &shop{db: sql.OpenDB(sqlfence.Connector(stdlib.GetConnector(*config)))}
	t.Cleanup(func() { require.NoError(t, s.db.Close()) })
	s.pool, err = pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(s.pool.Close)
	s.guard, err = sqlfence.New(sqlfence.Config{DB: s.db, Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	s.native, err = pgxfence.New(pgxfence.Config{Pool: s.pool})
	require.NoError(t, err)
	for _, statement := range []string{
		s.guard.Schema(),
		"CREATE TABLE invoices (id BIGINT PRIMARY KEY, billed BOOLEAN NOT NULL)", "INSERT INTO invoices VALUES (1, false)",
		"CREATE TABLE outbox (key TEXT PRIMARY KEY, body TEXT NOT NULL, sent BOOLEAN NOT NULL DEFAULT false)",
	} {
		_, err := s.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	return s
}

func (s *shop) billed(t *testing.T) (billed bool) {
	t.Helper()
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT billed FROM invoices WHERE id = 1").Scan(&billed))
	return billed
}

// TestLibraries: with each, the current term's write lands, and that of an older term is refused and
// leaves nothing behind.
func TestLibraries(t *testing.T) {
	inGORM := func(prepare bool) func(*testing.T, *shop) func(context.Context, fencing.Token) error {
		return func(t *testing.T, s *shop) func(context.Context, fencing.Token) error {
			orm, err := openGorm(s.db, prepare)
			require.NoError(t, err)
			return func(ctx context.Context, token fencing.Token) error {
				return billWithGorm(ctx, s.guard, token, orm, 1)
			}
		}
	}
	for name, made := range map[string]func(*testing.T, *shop) func(context.Context, fencing.Token) error{
		"gorm": inGORM(false), "gorm with PrepareStmt": inGORM(true),
		"sqlx": func(_ *testing.T, s *shop) func(context.Context, fencing.Token) error {
			db := sqlx.NewDb(s.db, "pgx")
			return func(ctx context.Context, token fencing.Token) error {
				return billWithSqlx(ctx, s.guard, token, db, 1)
			}
		},
		"bun": func(_ *testing.T, s *shop) func(context.Context, fencing.Token) error {
			db := bun.NewDB(s.db, pgdialect.New())
			return func(ctx context.Context, token fencing.Token) error {
				return billWithBun(ctx, s.guard, token, db, 1)
			}
		},
		"ent": func(_ *testing.T, s *shop) func(context.Context, fencing.Token) error {
			return func(ctx context.Context, token fencing.Token) error {
				return billWithEnt(ctx, s.guard, token, 1)
			}
		},
		"sqlc": func(_ *testing.T, s *shop) func(context.Context, fencing.Token) error {
			return func(ctx context.Context, token fencing.Token) error {
				return billWithSqlc(ctx, s.native, token, &queries{s.pool}, 1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			bill := made(t, s)
			require.NoError(t, s.guard.Announce(t.Context(), token(5)))
			require.NoError(t, bill(t.Context(), token(5)))
			require.True(t, s.billed(t))
			_, err := s.pool.Exec(t.Context(), "UPDATE invoices SET billed = false")
			require.NoError(t, err)
			require.NoError(t, s.native.Announce(t.Context(), token(6)))
			require.ErrorIs(t, bill(t.Context(), token(5)), fencing.ErrStale)
			require.False(t, s.billed(t))
			// Triggers see whether what the library sends is in the fenced transaction.
			triggers, err := s.guard.Triggers("invoices", token(6).Scope)
			require.NoError(t, err)
			for _, statement := range triggers {
				_, err := s.pool.Exec(t.Context(), statement)
				require.NoError(t, err)
			}
			_ = bill(t.Context(), token(6)) // each open connection has one transaction refused
			require.NoError(t, bill(t.Context(), token(6)))
			require.True(t, s.billed(t))
		})
	}
}

// TestGormFails: what fn returns rolls back all that GORM did.
func TestGormFails(t *testing.T) {
	s := newShop(t)
	orm, err := openGorm(s.db, true)
	require.NoError(t, err)
	require.ErrorIs(t, inGorm(t.Context(), s.guard, token(5), orm, func(tx *gorm.DB) error {
		require.NoError(t, tx.Create(&invoice{ID: 2}).Error)
		return tx.First(&invoice{}, 3).Error
	}), gorm.ErrRecordNotFound)
	require.ErrorIs(t, orm.First(&invoice{}, 2).Error, gorm.ErrRecordNotFound)
}

// TestRiver: a job is there if its invoice is billed, and none of an older term.
func TestRiver(t *testing.T) {
	s := newShop(t)
	driver := riverpgxv5.New(s.pool)
	migrator, err := rivermigrate.New(driver, nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	client, err := river.NewClient(driver, &river.Config{})
	require.NoError(t, err)
	jobs := func() (n int) {
		require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'reminder'").Scan(&n))
		return n
	}
	require.NoError(t, billWithRiver(t.Context(), s.native, token(5), client, 1))
	require.Equal(t, 1, jobs())
	require.True(t, s.billed(t))
	require.NoError(t, s.native.Announce(t.Context(), token(6)))
	require.ErrorIs(t, billWithRiver(t.Context(), s.native, token(5), client, 1), fencing.ErrStale)
	require.Equal(t, 1, jobs())
}

// TestConnectorOverAPool closes cleanly if the *sql.DB is closed before the pool, also with idle
// connections in it.
func TestConnectorOverAPool(t *testing.T) {
	s := newShop(t)
	pool, err := pgxpool.NewWithConfig(t.Context(), s.pool.Config())
	require.NoError(t, err)
	db := sql.OpenDB(sqlfence.Connector(stdlib.GetPoolConnector(pool)))
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	require.NoError(t, guard.InTx(t.Context(), token(5), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true")
		return err
	}))
	require.Positive(t, db.Stats().Idle)
	closed := make(chan error, 1)
	go func() {
		err := db.Close()
		pool.Close()
		closed <- err
	}()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("the pool does not close")
	}
}
