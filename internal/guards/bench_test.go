package guards

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// BenchmarkInTx measures one writer's fenced transaction and the same one
// unfenced, in turns, on a PostgreSQL of its own with its default settings (fsync
// on), and without fsync, where the fence's share is largest. The fence is one
// round trip more, beside those of begin, commit and each statement: so it costs
// a transaction of one statement most. The ratio is of medians.
func BenchmarkInTx(b *testing.B) {
	for name, args := range map[string][]string{"default": nil, "fsync off": {"-c", "fsync=off"}} {
		b.Run(name, func(b *testing.B) {
			back := postgres
			back.server = &shared{begin: func(context.Context, ...string) (*services.Server, error) { return services.Postgres(b, args...), nil }}
			for _, statements := range []int{1, 3} {
				b.Run(fmt.Sprintf("statements=%d", statements), func(b *testing.B) { benchmarkInTx(b, back, statements) })
			}
		})
	}
}

func benchmarkInTx(b *testing.B, back backend, statements int) {
	d := back.database(b)
	db := d.open(b, nil)
	db.SetMaxOpenConns(1)
	c := d.client(b, db)
	token := guardtest.Token(5, 0)
	write := func(ctx context.Context, tx *sql.Tx) error {
		for range statements {
			if err := d.set(ctx, tx, "x"); err != nil {
				return err
			}
		}
		return nil
	}
	kinds := [2]func() error{
		func() error { return c.InTx(b.Context(), token, nil, write) },
		func() error { return unfenced(b.Context(), db, write) },
	}
	var took [2][]time.Duration
	for b.Loop() {
		for i := range kinds {
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
	fenced, plain := median(took[0]), median(took[1])
	b.ReportMetric(fenced, "fenced-ns")
	b.ReportMetric(plain, "unfenced-ns")
	b.ReportMetric(fenced/plain, "ratio")
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
}

func unfenced(ctx context.Context, db *sql.DB, fn func(context.Context, *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}
