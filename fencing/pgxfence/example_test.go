package pgxfence_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
)

// A singleton that bills each invoice once: what it did is written in the transaction that the token
// fences.
func ExampleGuard_InTx() {
	pool, err := pgxpool.New(context.Background(), "postgres://db/shop")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	guard, err := pgxfence.New(pgxfence.Config{Pool: pool, Scope: fencing.Scope("shop", "invoicer")})
	if err != nil {
		panic(err)
	}
	// Once, with the migrations: guard.Schema(). And singleton.Config{Guards: []fencing.Guard{guard}}.

	bill := func(ctx context.Context, invoice int) error { // called by the work, with its context
		token, _ := fencing.FromContext(ctx) // none is the zero Token, which the guard refuses
		return guard.InTx(ctx, token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE invoices SET billed = true WHERE id = $1 AND NOT billed", invoice)
			return err
		})
	}
	_ = bill
	fmt.Println(guard.Schema())
	// Output:
	// CREATE TABLE IF NOT EXISTS "hotseat_fence" (
	// 	scope TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	// 	epoch BIGINT NOT NULL CHECK (epoch >= 1),
	// 	term CHAR(32) NOT NULL
	// )
}

// Verify fences a transaction that somebody else begins and commits.
func ExampleGuard_Verify() {
	var pool *pgxpool.Pool    // pgxpool.New(...)
	var guard *pgxfence.Guard // pgxfence.New(...)
	var token fencing.Token   // of the term
	_ = func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := guard.Verify(ctx, tx, token); err != nil { // first of all
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE invoices SET billed = true")
			return err
		})
	}
}
