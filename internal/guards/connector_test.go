package guards

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// heard is a connector that notes what its connections are asked, one line for each round trip.
type heard struct {
	driver.Connector
	mu    sync.Mutex
	trips []string
}

func (h *heard) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := h.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &heardConn{c.(*stdlib.Conn), h}, nil
}

func (h *heard) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trips = append(h.trips, s)
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.trips = nil }()
	return h.trips
}

type heardConn struct {
	*stdlib.Conn
	heard *heard
}

func (c *heardConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.heard.note("begin")
	return c.Conn.BeginTx(ctx, opts)
}

func (c *heardConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.heard.note(q)
	return c.Conn.ExecContext(ctx, q, args)
}

func (c *heardConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.heard.note(q)
	return c.Conn.QueryContext(ctx, q, args)
}

// TestConnectorSavesTheTrip: a fenced transaction has as many as one unfenced once the session has prepared its statement, for all terms.
func TestConnectorSavesTheTrip(t *testing.T) {
	d := oneTrip.database(t)
	inner, err := viaPgx(d.server.server(t).DSN())
	require.NoError(t, err)
	h := &heard{Connector: inner}
	db := sql.OpenDB(sqlfence.Connector(h))
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }()
	c := d.client(t, db)
	token := guardtest.Token(5, 0)
	require.NoError(t, d.client(t, d.admin).Announce(t.Context(), token))
	write := func(want ...string) {
		t.Helper()
		h.all()
		require.NoError(t, c.Write(t.Context(), token, "x", func() {}))
		trips := h.all()
		require.Len(t, trips, len(want), trips)
		for i, w := range want {
			require.Contains(t, trips[i], w)
		}
	}
	write("pg_trigger", "EXECUTE", "ROLLBACK", "PREPARE", "INSERT", "COMMIT")
	write("EXECUTE", "INSERT", "COMMIT")
	ask := func(statement string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	ask("DISCARD ALL")
	write("EXECUTE", "ROLLBACK", "PREPARE", "INSERT", "COMMIT")

	token = guardtest.Token(6, 0) // not announced: it is, and then it enters
	require.NoError(t, c.Write(t.Context(), token, "x", func() {}))
	write("EXECUTE", "INSERT", "COMMIT")
	token.Epoch++ // of the same term
	require.NoError(t, c.Write(t.Context(), token, "x", func() {}))
	mark, err := c.Mark(t.Context(), token.Scope)
	require.NoError(t, err)
	require.Equal(t, token, mark)
	require.ErrorIs(t, c.Write(t.Context(), guardtest.Token(5, 0), "stale", func() {}), fencing.ErrStale)
	require.ErrorIs(t, c.Write(t.Context(), guardtest.Token(7, 1), "stale", func() {}), fencing.ErrConflict)
	write("EXECUTE", "INSERT", "COMMIT")
	var prepared int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'hotseat%'").Scan(&prepared))
	require.Equal(t, 2, prepared, "the lock and the mark")
}

// TestConnectorKnowsAFailedTransaction: fn swallows the error of a statement. COMMIT
// would say that all is well; nothing is written, and the connection is as good as before.
func TestConnectorKnowsAFailedTransaction(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		db := d.single(t)
		c := d.client(t, db)
		session := func() (pid int) {
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
			return pid
		}
		before := session()
		err := c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "lost"))
			_, err := tx.ExecContext(ctx, "SELECT 1/0")
			require.Error(t, err)
			return nil
		})
		require.ErrorContains(t, err, "not committed")
		require.NotErrorIs(t, err, sqlfence.ErrCommitUnknown)
		require.Empty(t, d.value(t))
		require.Equal(t, before, session())
		require.NoError(t, c.Write(t.Context(), guardtest.Token(5, 0), "kept", func() {}))
		require.Equal(t, "kept", d.value(t))
	}, oneTrip, libpq)
}

// TestConnectorKnowsAnEndedTransaction: fn ended it, against the rules, and InTx cannot tell how.
func TestConnectorKnowsAnEndedTransaction(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.single(t))
		require.ErrorIs(t, c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			require.NoError(t, d.set(ctx, tx, "lost"))
			_, err := tx.ExecContext(ctx, "ROLLBACK")
			return err
		}), sqlfence.ErrCommitUnknown)
		require.Empty(t, d.value(t))
		require.NoError(t, c.Write(t.Context(), guardtest.Token(5, 0), "kept", func() {}))
	}, oneTrip, libpq)
}

// TestConnectorOutlivesItsTable: what a session has prepared is good for the table in any later shape.
func TestConnectorOutlivesItsTable(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.single(t))
		write := func() { t.Helper(); require.NoError(t, c.Write(t.Context(), guardtest.Token(5, 0), "x", func() {})) }
		write()
		d.do(t, "ALTER TABLE "+d.marks()+" ALTER COLUMN term TYPE VARCHAR(32)")
		write()
		d.do(t, "DROP TABLE "+d.marks(), c.Schema())
		write()
		require.NoError(t, d.client(t, d.admin).Announce(t.Context(), guardtest.Token(6, 0)))
		require.ErrorIs(t, c.Write(t.Context(), guardtest.Token(5, 0), "stale", func() {}), fencing.ErrStale)
	}, oneTrip, libpq)
}

// TestConnectorLeavesTheRest as the driver has it.
func TestConnectorLeavesTheRest(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		ctx := t.Context()
		d := b.database(t)
		db := d.open(t, nil)
		require.NoError(t, db.PingContext(ctx))
		insert, err := db.PrepareContext(ctx, "INSERT INTO "+d.register()+" VALUES ($1, $2)")
		require.NoError(t, err)
		defer func() { _ = insert.Close() }()
		require.NoError(t, d.client(t, db).InTx(ctx, guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.StmtContext(ctx, insert).ExecContext(ctx, 1, "prepared")
			return err
		}))
		require.Equal(t, "prepared", d.value(t))

		own, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		require.NoError(t, err)
		_, err = own.StmtContext(ctx, insert).ExecContext(ctx, 2, "x")
		require.ErrorContains(t, err, "read-only")
		require.NoError(t, own.Rollback())
		require.Error(t, d.client(t, db).InTx(ctx, guardtest.Token(5, 0), &sql.TxOptions{Isolation: sql.LevelLinearizable}, nothing))

		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		require.NoError(t, conn.Raw(func(raw any) error {
			inner := raw.(interface{ Unwrap() driver.Conn }).Unwrap()
			_, pgx := inner.(*stdlib.Conn)
			require.Equal(t, b.driver == "pgx", pgx)
			return nil
		}))
	}, oneTrip, libpq)
}
