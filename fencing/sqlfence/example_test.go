package sqlfence_test

import (
	"context"
	"database/sql"
	"errors"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// A service that bills each invoice once: it writes what it did in the transaction that the token
// fences.
func ExampleGuard_InTx() {
	var db *sql.DB // sql.Open("pgx", ...)
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	if err != nil {
		return
	}
	// Run guard.Schema() once, with the migrations. Give the guard to the elector:
	// singleton.Config{Guards: []fencing.Guard{guard}}.

	bill := func(ctx context.Context, invoice int) error { // called by the work, with its context
		token, _ := fencing.FromContext(ctx) // without one it is the zero Token, which the guard refuses
		err := guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = billed + 1 WHERE id = $1 AND billed = 0", invoice)
			return err
		})
		switch {
		case errors.Is(err, sqlfence.ErrCommitUnknown):
			return err // perhaps billed: the condition makes it safe to try again
		case errors.Is(err, fencing.ErrStale):
			return err // another replica bills now
		default:
			return err
		}
	}
	_ = bill
}
