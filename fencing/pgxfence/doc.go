// Package pgxfence fences writes to PostgreSQL over pgx's own pools and transactions, without
// database/sql. It is package sqlfence for pgx: the same table, locks, statements and errors.
//
// A table in the database keeps the mark of each scope. The work writes through [Guard.InTx]. Each
// of its transactions takes a shared lock and reads the mark in the same message as its BEGIN. A
// newer term raises the mark under the exclusive lock. So check and effect are one step, and once
// Announce has returned, no transaction of an older term is open, and none can open.
//
//	pool, err := pgxpool.New(ctx, dsn)
//	guard, err := pgxfence.New(pgxfence.Config{Pool: pool, Scope: fencing.Scope("shop", "invoicer")})
//	...
//	elector, err := singleton.New(client, singleton.Config{
//		Name: "invoicer", Guards: []fencing.Guard{guard},
//	})
//	...
//	err = guard.InTx(ctx, token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
//		return queries.WithTx(tx).Bill(ctx, invoice) // sqlc; or river's InsertTx(ctx, tx, ...)
//	})
//
// What the documentation of sqlfence says of PostgreSQL holds here too: setting up, rights, what
// lasts, limits of time, recovery. Its errors and log lines begin with its name. A service that
// writes over database/sql may use the same table with a guard of sqlfence. An announcement by
// either guard waits for the transactions of both.
//
// # Behind a pooler
//
// Behind PgBouncer in transaction mode, pgx needs default_query_exec_mode=exec, as it does without
// guards. The guard itself needs no setting.
//
// # What it costs
//
// A fenced transaction takes as many round trips as an unfenced one. BenchmarkInTx runs the
// transactions of one writer alternately with and without the guard, and prints the ratio of the
// medians. The table has the medians of ten runs, with PostgreSQL 15 and its default settings.
// Other programs kept the two cores busy, and the disk synced in 0.1 ms. On a slower disk the
// transaction takes longer, and the guard does not. The row with SELECT 1 is an unfenced
// transaction that begins with SELECT 1. It shows what a further round trip costs.
//
//	                                           1 statement    3 statements
//	a transaction, unfenced                    0.3-0.7 ms     0.4-2 ms
//	InTx                                       1.16           1.13
//	SELECT 1 in place of the guard             1.16           1.18
//
// # Limits
//
//   - The function that InTx runs, fn, may send just the name of a statement that a driver or a
//     pool's hook has prepared. If that is a COMMIT, or another statement that ends the
//     transaction, InTx does not notice.
//   - After InTx has returned, calls on a transaction that fn kept are refused. If fn kept a
//     LargeObjects or a Conn of the transaction, calls on that are not refused.
//   - Statements outside of the transactions of InTx and Verify are not fenced, nor are tables in
//     other databases.
//   - The limits of sqlfence in PostgreSQL.
package pgxfence
