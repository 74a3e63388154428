package orms

import (
	"context"
	"database/sql"
	"errors"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// fencedEnt is a driver for a generated client, over the transaction of InTx:
//
//	client := ent.NewClient(ent.Driver(fencedEnt(tx)))
//	client.Invoice.UpdateOneID(id).SetBilled(true).Exec(ctx)
//
// What such a client does in transactions of its own is part of the fenced one.
func fencedEnt(tx *sql.Tx) dialect.Driver {
	return entDriver{entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: tx})}
}

type entDriver struct{ *entsql.Driver }

// Tx is for mutations that ent would put into a transaction of their own.
func (d entDriver) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }

// BeginTx refuses client.BeginTx: it would ask for another isolation level than the open one's.
func (d entDriver) BeginTx(context.Context, *entsql.TxOptions) (dialect.Tx, error) {
	return nil, errors.New("orms: the client is in a fenced transaction already")
}

// Close leaves the transaction to InTx.
func (d entDriver) Close() error { return nil }

// billWithEnt sends what a generated client sends.
func billWithEnt(ctx context.Context, guard *sqlfence.Guard, token fencing.Token, id int64) error {
	return guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
		statement, args := entsql.Dialect(dialect.Postgres).
			Update("invoices").Set("billed", true).Where(entsql.EQ("id", id)).Query()
		var result sql.Result
		return fencedEnt(tx).Exec(ctx, statement, args, &result)
	})
}
