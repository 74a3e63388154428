package guards

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestVerify fences a transaction of the caller's own.
func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		verify := func(token fencing.Token) error {
			tx, err := d.admin.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			defer func() { _ = tx.Rollback() }()
			if err := c.Verify(t.Context(), tx, token); err != nil {
				return err
			}
			short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, c.Announce(short, guardtest.Token(99, 0)), fencing.ErrUnavailable, "it waits")
			require.NoError(t, d.set(t.Context(), tx, "verified"))
			return tx.Commit()
		}
		require.ErrorIs(t, verify(guardtest.Token(5, 0)), fencing.ErrUnavailable, "not announced")
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
		require.NoError(t, verify(guardtest.Token(5, 0)))
		require.Equal(t, "verified", d.value(t))
		require.ErrorIs(t, verify(guardtest.Token(4, 0)), fencing.ErrStale)
		require.ErrorIs(t, verify(guardtest.Token(5, 1)), fencing.ErrConflict)
		require.ErrorIs(t, verify(guardtest.Token(6, 0)), fencing.ErrUnavailable)
		require.ErrorIs(t, verify(fencing.Token{}), fencing.ErrMissing)
	})
}

// TestVerifyAfterReading: a snapshot from before the current term is refused, or
// is one that the lock made.
func TestVerifyAfterReading(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		d := b.database(t)
		c := d.client(t, d.admin)
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(5, 0)))
		tx, err := d.admin.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM "+d.register()).Scan(new(int)))
		require.NoError(t, c.Announce(t.Context(), guardtest.Token(6, 0)))
		require.ErrorIs(t, c.Verify(t.Context(), tx, guardtest.Token(6, 0)), fencing.ErrUnavailable)
	}, postgres, oneTrip, sqlite)
}
