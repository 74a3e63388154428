package guards

import (
	"context"
	"database/sql"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// valve is a way to a server that can stand still: what a frozen process looks like from there. Its connections stay open.
type valve struct {
	net.Listener
	shut atomic.Bool
}

func newValve(t *testing.T, to string) *valve {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	v := &valve{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go v.pipe(client, server)
			go v.pipe(server, client)
		}
	}()
	return v
}

func (v *valve) pipe(into, from net.Conn) {
	defer func() { _ = into.Close() }()
	buffer := make([]byte, 4096)
	for {
		for v.shut.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		n, err := from.Read(buffer)
		if _, unwritten := into.Write(buffer[:n]); err != nil || unwritten != nil {
			return
		}
	}
}

// freezing is a state in which a client can stand still with the lock. It shuts the valve and returns when ctx has ended.
type freezing struct {
	name string
	in   func(context.Context, *database, *sqlfence.Guard, *sql.DB, *valve) error
}

// inTx stands still where fn does.
func inTx(name string, fn func(context.Context, *database, *sql.Tx, *valve) error) freezing {
	return freezing{name, func(ctx context.Context, d *database, g *sqlfence.Guard, _ *sql.DB, v *valve) error {
		return g.InTx(ctx, guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
			if err := d.set(ctx, tx, "stale"); err != nil {
				return err
			}
			return fn(ctx, d, tx, v)
		})
	}}
}

func (v *valve) freeze(ctx context.Context) error {
	v.shut.Store(true)
	<-ctx.Done()
	return context.Cause(ctx)
}

var idle = inTx("between statements", func(ctx context.Context, _ *database, _ *sql.Tx, v *valve) error { return v.freeze(ctx) })

var inAResult = inTx("in the midst of a result", func(ctx context.Context, d *database, tx *sql.Tx, v *valve) error {
	query := "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"
	if d.dialect == sqlfence.MySQL {
		query = "SELECT repeat('x', 1000) FROM seq_1_to_100000"
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for n := 0; rows.Next(); n++ {
		if n == 10 {
			return v.freeze(ctx)
		}
	}
	return rows.Err()
})

var inCopyOfPQ = inTx("in the midst of COPY of lib pq", func(ctx context.Context, d *database, tx *sql.Tx, v *valve) error {
	copying, err := tx.PrepareContext(ctx, "COPY "+d.register()+" (id, value) FROM STDIN")
	if err != nil {
		return err
	}
	if _, err = copying.ExecContext(ctx, 2, "stale"); err != nil {
		return err
	}
	return v.freeze(ctx)
})

var inCopyOfPgx = freezing{"in the midst of COPY of pgx", func(ctx context.Context, d *database, g *sqlfence.Guard, db *sql.DB, v *valve) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = g.Verify(ctx, tx, guardtest.Token(5, 0)); err != nil {
		return err
	}
	return conn.Raw(func(c any) error {
		_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{d.register()}, []string{"id", "value"}, pgx.CopyFromFunc(func() ([]any, error) {
			return nil, v.freeze(ctx)
		}))
		return err
	})
}}

// TestFrozenClient: how long a successor waits for one that stands still is bounded, in whatever state that was; and nothing of it lands.
func TestFrozenClient(t *testing.T) {
	all := map[sqlfence.Dialect][]freezing{sqlfence.PostgreSQL: {idle, inAResult}, sqlfence.MySQL: {idle, inAResult}}
	each(t, func(t *testing.T, b backend) {
		states := all[b.dialect]
		if b.name == postgres.name {
			states = append(states, inCopyOfPgx)
		}
		if b.name == libpq.name {
			states = append(states, inCopyOfPQ)
		}
		for _, state := range states {
			t.Run(state.name, func(t *testing.T) {
				t.Parallel()
				d := b.database(t)
				successor := d.client(t, d.admin)
				require.NoError(t, successor.Announce(t.Context(), guardtest.Token(5, 0)))
				v := newValve(t, d.server.server(t).Addr())
				db := d.openAt(t, v.Addr().String())
				g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: d.dialect, Table: d.marks(), IdleLimit: time.Second})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- state.in(ctx, d, g, db, v) }()
				require.Eventually(t, v.shut.Load, soon, time.Millisecond)
				limit, stop := context.WithTimeout(t.Context(), 30*time.Second) // many times what it needs
				defer stop()
				began := time.Now()
				require.NoError(t, successor.Announce(limit, guardtest.Token(6, 0)))
				t.Logf("a successor waited %v", time.Since(began).Round(time.Millisecond))
				v.shut.Store(false)
				cancel()
				require.Error(t, <-ended)
				require.Empty(t, d.value(t))
				require.ErrorIs(t, g.InTx(t.Context(), guardtest.Token(5, 0), nil, nothing), fencing.ErrStale)
			})
		}
	}, postgres, oneTrip, libpq, mariadb)
}

// TestFrozenAnnouncer stands still with the exclusive lock. It does not keep others out for ever.
func TestFrozenAnnouncer(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
		v := newValve(t, d.server.server(t).Addr())
		db := d.openAt(t, v.Addr().String())
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: d.dialect, Table: d.marks()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		announced := make(chan error, 1)
		require.NoError(t, c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(context.Context, *sql.Tx) error {
			go func() { announced <- g.Announce(ctx, guardtest.Token(6, 0)) }()
			d.awaitWaiting(t, 1)
			v.shut.Store(true) // and gets the lock when this one ends
			return nil
		}))
		limit, stop := context.WithTimeout(t.Context(), soon)
		defer stop()
		began := time.Now()
		require.NoError(t, c.InTx(limit, guardtest.Token(5, 0), nil, nothing), "the other raised nothing")
		require.NoError(t, c.Announce(limit, guardtest.Token(7, 0)))
		t.Logf("others waited %v", time.Since(began).Round(time.Millisecond))
		v.shut.Store(false)
		cancel()
		require.Error(t, <-announced)
	}, postgres, oneTrip, libpq, mariadb)
}

// TestFrozenWhileItWaits for the shared lock, behind a successor: it gets the lock and stands still with
// it. The next successor does not wait for ever.
func TestFrozenWhileItWaits(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c, old := d.client(t, d.admin), guardtest.Token(5, 0)
		require.NoError(t, c.Announce(t.Context(), old))
		v := newValve(t, d.server.server(t).Addr())
		db := d.openAt(t, v.Addr().String())
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: d.dialect, Table: d.marks(), IdleLimit: time.Second})
		require.NoError(t, err)
		require.NoError(t, g.InTx(t.Context(), old, nil, nothing)) // connected, and prepared
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		announced, ended := make(chan error, 1), make(chan error, 1)
		require.NoError(t, c.InTx(t.Context(), old, nil, func(context.Context, *sql.Tx) error {
			go func() { announced <- c.Announce(t.Context(), guardtest.Token(6, 0)) }()
			d.awaitWaiting(t, 1)
			go func() { ended <- g.InTx(ctx, old, nil, nothing) }()
			d.awaitWaiting(t, 2)
			v.shut.Store(true)
			return nil
		}))
		limit, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		require.NoError(t, <-announced)
		began := time.Now()
		require.NoError(t, c.Announce(limit, guardtest.Token(7, 0)))
		t.Logf("the next successor waited %v", time.Since(began).Round(time.Millisecond))
		v.shut.Store(false)
		cancel()
		require.Error(t, <-ended)
	}, postgres, oneTrip, libpq, mariadb)
}

// TestHoldLimit: a long statement is ended too, where the successor says so.
func TestHoldLimit(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		sleep := "SELECT pg_sleep(100)"
		if b.dialect == sqlfence.MySQL {
			sleep = "SELECT sleep(100)"
		}
		g, err := sqlfence.New(sqlfence.Config{DB: d.admin, Dialect: d.dialect, Table: d.marks(), HoldLimit: 500 * time.Millisecond})
		require.NoError(t, err)
		c := d.client(t, d.open(t, nil))
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
		began, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- c.InTx(t.Context(), guardtest.Token(5, 0), nil, func(ctx context.Context, tx *sql.Tx) error {
				if err := d.set(ctx, tx, "stale"); err != nil {
					return err
				}
				close(began)
				_, err := tx.ExecContext(ctx, sleep)
				return err
			})
		}()
		<-began
		limit, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		require.NoError(t, g.Announce(limit, guardtest.Token(6, 0)))
		require.Error(t, <-ended)
		require.Empty(t, d.value(t))
	}, postgres, oneTrip, libpq, mariadb)
}
