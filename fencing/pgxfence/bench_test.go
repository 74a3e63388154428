//go:build unix

package pgxfence_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// BenchmarkInTx measures one writer's fenced transaction beside the same one unfenced, both over a
// pgx pool of one connection, and beside the unfenced one with SELECT 1 in front: the least that a
// check costs which is a round trip of its own. It runs them in an order drawn anew each time, on a
// PostgreSQL with the server's defaults (fsync and synchronous_commit on) and without fsync, where
// nothing hides a round trip. The figures are medians, the ratios those of medians.
func BenchmarkInTx(b *testing.B) {
	for name, on := range map[string]*shared{"default": {}, "fsync off": quick} {
		b.Run(name, func(b *testing.B) {
			d := newDatabase(b, on)
			if on != quick {
				defer on.s.Close()
				defer d.admin.Close()
			}
			for _, statements := range []int{1, 3} {
				b.Run(fmt.Sprintf("statements=%d", statements), func(b *testing.B) {
					benchmarkInTx(b, d, statements)
				})
			}
		})
	}
}

func benchmarkInTx(b *testing.B, d *database, statements int) {
	bare, tripping, pool := d.pool(b, "", 1), d.pool(b, "", 1), d.pool(b, "", 1)
	c := d.client(b, pool)
	token := guardtest.Token(5, 0)
	write := func(ctx context.Context, tx pgx.Tx) error {
		for range statements {
			if err := d.set(ctx, tx, "x"); err != nil {
				return err
			}
		}
		return nil
	}
	unfenced := func(pool *pgxpool.Pool, fn func(context.Context, pgx.Tx) error) error {
		return pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error { return fn(b.Context(), tx) })
	}
	kinds := [...]func() error{
		func() error { return unfenced(bare, write) },
		func() error { return c.InTx(b.Context(), token, pgx.TxOptions{}, write) },
		func() error {
			return unfenced(tripping, func(ctx context.Context, tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SELECT 1"); err != nil {
					return err
				}
				return write(ctx, tx)
			})
		},
	}
	for _, kind := range kinds {
		require.NoError(b, kind()) // connects and prepares
	}
	var took [len(kinds)][]time.Duration
	for b.Loop() {
		for _, i := range rand.Perm(len(kinds)) {
			began := time.Now()
			if err := kinds[i](); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2])
	}
	plain, fenced, trip := median(took[0]), median(took[1]), median(took[2])
	b.ReportMetric(fenced, "fenced-ns")
	b.ReportMetric(plain, "unfenced-ns")
	b.ReportMetric(fenced/plain, "ratio")
	b.ReportMetric(trip/plain, "trip-ratio")
	b.ReportMetric(0, "ns/op") // of all together, which says nothing
}
