package sqlfence_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// Verify fences a transaction that somebody else began, an ORM for example. Here the database has
// seen epoch 5.
func ExampleGuard_Verify() {
	db := sql.OpenDB(&fake{mark: []driver.Value{int64(5), term}}) // sql.Open("pgx", ...)
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	if err != nil {
		panic(err)
	}
	bill := func(ctx context.Context, token fencing.Token) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if err := guard.Verify(ctx, tx, token); err != nil { // first: what follows is fenced
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true"); err != nil {
			return err
		}
		return tx.Commit()
	}
	scope := fencing.Scope("shop", "invoicer")
	fmt.Println(bill(context.Background(), fencing.Token{Scope: scope, Epoch: 5, Term: term}))
	err = bill(context.Background(), fencing.Token{Scope: scope, Epoch: 4, Term: term})
	fmt.Println(errors.Is(err, fencing.ErrStale))
	// Output:
	// <nil>
	// true
}

// Triggers refuse all writers that do not carry the current token. The statements belong to the
// migrations, after guard.Schema().
func ExampleGuard_Triggers() {
	guard, err := sqlfence.New(sqlfence.Config{DB: sql.OpenDB(&fake{}), Dialect: sqlfence.PostgreSQL})
	if err != nil {
		panic(err)
	}
	statements, err := guard.Triggers("invoices", fencing.Scope("shop", "invoicer"))
	if err != nil {
		panic(err)
	}
	for _, s := range statements[1:] { // the first one makes the function that they call
		fmt.Println(strings.Join(strings.Fields(s)[:3], " "))
	}
	// Output:
	// DROP TRIGGER IF
	// CREATE TRIGGER hotseat_fence
}

// Connector lets the token travel with BEGIN, so that a fenced transaction in PostgreSQL takes no
// additional round trip.
func ExampleConnector() {
	server := &fullFake{fake: &fake{mark: []driver.Value{int64(5), term}}}
	db := sql.OpenDB(sqlfence.Connector(server)) // stdlib.GetConnector(config) of pgx
	defer func() { _ = db.Close() }()
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	if err != nil {
		panic(err)
	}
	token := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 5, Term: term}
	err = guard.InTx(context.Background(), token, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true")
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}
