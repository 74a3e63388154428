package guards

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// BenchmarkInTx measures one writer's fenced transaction beside the same one unfenced, and beside the unfenced one with SELECT 1 in front:
// the least that any check costs which is a round trip of its own. It runs them in an order drawn anew each time, on a
// PostgreSQL of its own, with the server's defaults (fsync and synchronous_commit on) and without fsync, where nothing hides a
// round trip. The figures are medians, the ratios those of medians.
func BenchmarkInTx(b *testing.B) {
	for _, setting := range []struct{ name, fsync string }{{"default", "on"}, {"fsync off", "off"}} {
		b.Run(setting.name, func(b *testing.B) {
			var args []string
			if setting.fsync != "on" {
				args = []string{"-c", "fsync=" + setting.fsync}
			}
			back := postgres
			back.server = &shared{begin: func(context.Context, ...string) (*services.Server, error) { return services.Postgres(b, args...), nil }}
			for _, statements := range []int{1, 3} {
				b.Run(fmt.Sprintf("statements=%d", statements), func(b *testing.B) {
					d := back.database(b)
					require.Equal(b, setting.fsync, show(b, d.admin, "fsync"))
					require.Equal(b, "on", show(b, d.admin, "synchronous_commit"))
					benchmarkInTx(b, d, statements)
				})
			}
		})
	}
}

func show(b *testing.B, db *sql.DB, setting string) (value string) {
	b.Helper()
	require.NoError(b, db.QueryRowContext(b.Context(), "SHOW "+setting).Scan(&value))
	return value
}

func benchmarkInTx(b *testing.B, d *database, statements int) {
	plainly, tripping := d.single(b), d.single(b)
	c := d.client(b, d.single(b))
	wrapped := *d
	wrapped.connector = viaPgx
	w := wrapped.client(b, wrapped.single(b))
	token := guardtest.Token(5, 0)
	write := func(ctx context.Context, tx *sql.Tx) error {
		for range statements {
			if err := d.set(ctx, tx, "x"); err != nil {
				return err
			}
		}
		return nil
	}
	kinds := [...]func() error{
		func() error { return unfenced(b.Context(), plainly, write) },
		func() error { return c.InTx(b.Context(), token, nil, write) },
		func() error {
			return unfenced(b.Context(), tripping, func(ctx context.Context, tx *sql.Tx) error {
				var n int
				if err := tx.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
					return err
				}
				return write(ctx, tx)
			})
		},
		func() error { return w.InTx(b.Context(), token, nil, write) },
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
	plain, fenced, trip, connector := median(took[0]), median(took[1]), median(took[2]), median(took[3])
	b.ReportMetric(fenced, "fenced-ns")
	b.ReportMetric(plain, "unfenced-ns")
	b.ReportMetric(fenced/plain, "ratio")
	b.ReportMetric(trip/plain, "trip-ratio")
	b.ReportMetric(connector/plain, "connector-ratio")
	b.ReportMetric(0, "ns/op") // of all together, which says nothing
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

// BenchmarkThroughput measures what many writers keep of their transactions a second when these are
// fenced, over connections of Connector: of one INSERT, the least that a transaction can be, and of
// three. Fenced and not take turns of 100 ms over the same connections, in an order drawn anew each
// time. kept is of all turns together, kept-median of the two turns of each pair: somebody else on the
// machine moves it less.
func BenchmarkThroughput(b *testing.B) {
	back := oneTrip
	back.server = &shared{begin: func(context.Context, ...string) (*services.Server, error) { return services.Postgres(b), nil }}
	for _, statements := range []int{1, 3} {
		for _, writers := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("statements=%d/writers=%d", statements, writers), func(b *testing.B) {
				benchmarkThroughput(b, back.database(b), statements, writers)
			})
		}
	}
}

func benchmarkThroughput(b *testing.B, d *database, statements, writers int) {
	d.do(b, "CREATE TABLE log_"+d.register()+" (value TEXT)")
	db := d.open(b, nil)
	db.SetMaxOpenConns(writers)
	db.SetMaxIdleConns(writers)
	c := d.client(b, db)
	token := guardtest.Token(5, 0)
	require.NoError(b, c.Announce(b.Context(), token))
	write := func(ctx context.Context, tx *sql.Tx) (err error) {
		for n := 0; n < statements && err == nil; n++ {
			_, err = tx.ExecContext(ctx, "INSERT INTO log_"+d.register()+" VALUES ('x')")
		}
		return err
	}
	kinds := [2]func() error{
		func() error { return unfenced(b.Context(), db, write) },
		func() error { return c.InTx(b.Context(), token, nil, write) },
	}
	turn := func(kind int) (rate float64) {
		var all sync.WaitGroup
		var n atomic.Int64
		began := time.Now()
		for range writers {
			all.Go(func() {
				for time.Since(began) < 100*time.Millisecond {
					if err := kinds[kind](); err != nil {
						b.Error(err)
						return
					}
					n.Add(1)
				}
			})
		}
		all.Wait()
		return float64(n.Load()) / time.Since(began).Seconds()
	}
	for kind := range kinds {
		turn(kind) // connects and prepares
	}
	var rates [2]float64
	var kept []float64
	for b.Loop() {
		var pair [2]float64
		for _, kind := range rand.Perm(2) {
			pair[kind] = turn(kind)
			rates[kind] += pair[kind]
		}
		kept = append(kept, pair[1]/pair[0])
	}
	slices.Sort(kept)
	b.ReportMetric(rates[1]/rates[0], "kept")
	b.ReportMetric(kept[len(kept)/2], "kept-median")
	b.ReportMetric(rates[0]/float64(b.N), "unfenced/s")
	b.ReportMetric(0, "ns/op")
}
