package orms

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

type bunInvoice struct {
	bun.BaseModel `bun:"table:invoices"`

	ID     int64 `bun:",pk"`
	Billed bool
}

// billWithBun gives each query the fenced transaction: a query without Conn would run beside it.
func billWithBun(
	ctx context.Context, guard *sqlfence.Guard, token fencing.Token, db *bun.DB, id int64,
) error {
	return guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
		billed := &bunInvoice{ID: id, Billed: true}
		_, err := db.NewUpdate().Conn(tx).Model(billed).WherePK().Exec(ctx)
		return err
	})
}
