package orms

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// billWithSqlx begins with sqlx, because named parameters need sqlx's own transaction. The caller of
// Verify has to judge the commit's error: it may have been written all the same.
func billWithSqlx(
	ctx context.Context, guard *sqlfence.Guard, token fencing.Token, db *sqlx.DB, id int64,
) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := guard.Verify(ctx, tx.Tx, token); err != nil { // first of all
		return err
	}
	const bill = "UPDATE invoices SET billed = :billed WHERE id = :id"
	if _, err := tx.NamedExecContext(ctx, bill, invoice{id, true}); err != nil {
		return err
	}
	return tx.Commit()
}
