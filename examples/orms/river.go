package orms

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/pgxfence"
)

// reminder is a job for any worker of the fleet. Only the active may ask for one.
type reminder struct {
	Invoice int64 `json:"invoice"`
}

// Kind is the job's name in river's tables.
func (reminder) Kind() string { return "reminder" }

// billWithRiver bills an invoice and asks for its reminder, both or neither.
func billWithRiver(
	ctx context.Context, guard *pgxfence.Guard, token fencing.Token,
	client *river.Client[pgx.Tx], id int64,
) error {
	return guard.InTx(ctx, token, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE invoices SET billed = true WHERE id = $1", id)
		if err != nil {
			return err
		}
		_, err = client.InsertTx(ctx, tx, reminder{id}, nil)
		return err
	})
}
