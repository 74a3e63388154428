//go:build unix

package pgxfence_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// heard notes what connections are asked, one line for each message.
type heard struct {
	mu    sync.Mutex
	trips []string
}

func (h *heard) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trips = append(h.trips, q.SQL)
	return ctx
}

func (h *heard) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.trips = nil }()
	return h.trips
}

// TestTheFenceTravelsWithBegin: a fenced transaction has as many messages as one unfenced once the
// session has prepared its statements, for all terms.
func TestTheFenceTravelsWithBegin(t *testing.T) {
	d := newDatabase(t, quick)
	h := &heard{}
	config, err := pgxpool.ParseConfig(d.shared.server(t).DSN())
	require.NoError(t, err)
	config.MaxConns, config.ConnConfig.Tracer = 1, h
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	c, direct := d.client(t, pool), d.client(t, d.admin)
	token := guardtest.Token(5, 0)
	require.NoError(t, direct.Announce(t.Context(), token))
	write := func(want ...string) {
		t.Helper()
		h.all()
		require.NoError(t, c.Write(t.Context(), token, "x", idle))
		trips := h.all()
		require.Len(t, trips, len(want), trips)
		for i, w := range want {
			require.Contains(t, strings.ToUpper(trips[i]), strings.ToUpper(w))
		}
	}
	write("pg_trigger", "EXECUTE", "ROLLBACK", "PREPARE", "INSERT", "COMMIT")
	write("EXECUTE", "INSERT", "COMMIT")
	pool.Reset() // the next session has prepared nothing
	write("pg_trigger", "EXECUTE", "ROLLBACK", "PREPARE", "INSERT", "COMMIT")

	token = guardtest.Token(6, 0) // not announced: it is, and then it enters
	require.NoError(t, c.Write(t.Context(), token, "x", idle))
	write("EXECUTE", "INSERT", "COMMIT")
	require.ErrorIs(t, c.Write(t.Context(), guardtest.Token(5, 0), "stale", idle), fencing.ErrStale)
	require.ErrorIs(t, c.Write(t.Context(), guardtest.Token(6, 1), "stale", idle), fencing.ErrConflict)
	write("pg_trigger", "DEALLOCATE", "INSERT", "COMMIT") // after a refusal it looks for triggers again

	token = guardtest.Token(7, 0)
	require.NoError(t, direct.Announce(t.Context(), token))
	write("DEALLOCATE", "INSERT", "COMMIT")
	var prepared int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'hotseat%'").Scan(&prepared))
	require.Equal(t, 2, prepared, "the lock and the mark")
}
