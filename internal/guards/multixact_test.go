package guards

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestNoMultixacts: writers side by side leave none behind, nor a transaction id for one that wrote nothing.
func TestNoMultixacts(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		b, _ = b.own(t, "-c", "fsync=off", "-c", "autovacuum=off")
		d := b.database(t)
		db := d.open(t, nil)
		db.SetMaxOpenConns(16)
		c := d.client(t, db)
		token := guardtest.Token(5, 0)
		require.NoError(t, c.Announce(t.Context(), token))
		count := func() (xids, members int64) {
			d.do(t, "CHECKPOINT")
			require.NoError(t, d.admin.QueryRowContext(t.Context(),
				"SELECT split_part(next_xid, ':', 2)::bigint, next_multi_offset::text::bigint FROM pg_control_checkpoint()").Scan(&xids, &members))
			return xids, members
		}
		xids, members := count()
		for range 5 {
			var all, inside sync.WaitGroup
			inside.Add(16)
			for range 16 {
				all.Go(func() {
					once := sync.OnceFunc(inside.Done)
					defer once()
					if err := c.InTx(t.Context(), token, nil, func(context.Context, *sql.Tx) error {
						once()
						inside.Wait() // all hold the lock at once
						return nil
					}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		after, more := count()
		require.Equal(t, members, more)
		require.Less(t, after-xids, int64(10))
	}, postgres, oneTrip, libpq)
}
