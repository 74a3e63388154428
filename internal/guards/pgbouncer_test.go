package guards

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// TestBehindPgBouncer: its clients take turns on one session, transaction by transaction. What one
// of them sets there says nothing of the next.
func TestBehindPgBouncer(t *testing.T) {
	each(t, behindPgBouncer, postgres, oneTrip)
}

func behindPgBouncer(t *testing.T, b backend) {
	d, direct := triggered(t, b)
	bouncer := services.PgBouncer(t, d.server.server(t))
	pool := func(dsn string) *client { return d.client(t, d.connect(t, dsn)) }
	one, other := pool(bouncer.DSN()), pool(bouncer.DSN())
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	write := func(c *client, token fencing.Token, value string, meanwhile func()) error {
		return c.InTx(t.Context(), token, nil, func(ctx context.Context, tx *sql.Tx) error {
			meanwhile()
			return d.set(ctx, tx, value)
		})
	}
	idle := func() {}
	require.NoError(t, write(one, old, "old", idle))
	require.NoError(t, write(other, old, "other", idle))

	// Who has not ended when a newer term is announced is waited for; later ones are refused.
	announced := make(chan error, 1)
	require.NoError(t, write(one, old, "in flight", func() {
		go func() { announced <- direct.Announce(t.Context(), now) }()
		select {
		case err := <-announced:
			announced <- err
			t.Errorf("announced beside a write of the term before: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
	}))
	require.NoError(t, <-announced)
	require.ErrorIs(t, write(other, old, "stale", idle), fencing.ErrStale)
	require.NoError(t, write(one, now, "now", idle))
	require.Equal(t, "now", d.value(t))

	// The token is the transaction's, and a setting of the session lets nobody through.
	plain := d.connect(t, bouncer.DSN())
	change := "UPDATE " + d.register() + " SET value = 'plain'"
	_, err := plain.ExecContext(t.Context(), change)
	require.ErrorContains(t, err, "it carries none")
	_, err = plain.ExecContext(t.Context(), "SET hotseat.unfenced = 'on'")
	require.NoError(t, err)
	_, err = d.connect(t, bouncer.DSN()).ExecContext(t.Context(), change)
	require.ErrorContains(t, err, "it carries none")
	require.Equal(t, "now", d.value(t))
}

// TestPreparingBehindPgBouncer is told what to do.
func TestPreparingBehindPgBouncer(t *testing.T) {
	d := postgres.database(t)
	bouncer := services.PgBouncer(t, d.server.server(t))
	preparing := strings.Replace(bouncer.DSN(), "&default_query_exec_mode=exec", "", 1)
	var err error
	for range 3 { // each is a client of its own, and prepares the same under the same name
		c := d.client(t, d.connect(t, preparing))
		if err = c.Announce(t.Context(), guardtest.Token(5, 0)); err != nil {
			break
		}
		if _, err = c.Mark(t.Context(), guardtest.Scope); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, "behind PgBouncer in transaction mode the driver must not prepare statements")
}
