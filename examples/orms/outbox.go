package orms

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// outbox keeps what is to be sent in the database in which the active writes what it is about:
//
//	CREATE TABLE outbox (
//		key  TEXT PRIMARY KEY,
//		body TEXT NOT NULL,
//		sent BOOLEAN NOT NULL DEFAULT false
//	)
//
// Who crashes between the commit and the sending loses nothing: the next active sends it. Who
// crashes between the sending and the note that it was sent leads to a second sending, with the same
// key, which the receiver drops.
type outbox struct {
	guard *sqlfence.Guard
	db    *sql.DB
	send  func(ctx context.Context, key, body string) error // a mail or payment API
}

// put writes down, in the fenced transaction tx, that body is to be sent. A second put of the same
// operation does nothing.
func (o *outbox) put(
	ctx context.Context, tx *sql.Tx, token fencing.Token, operation, body string,
) error {
	key, err := token.Key(operation)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx,
		"INSERT INTO outbox (key, body) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", key, body)
	return err
}

// flush sends what was written down and not yet noted as sent. The active calls it at the start of
// its term and after each put. It sends outside of transactions: a receiver that answers slowly must
// not hold up the next term.
func (o *outbox) flush(ctx context.Context, token fencing.Token) error {
	unsent, err := o.unsent(ctx)
	if err != nil {
		return err
	}
	for _, m := range unsent {
		if err := o.send(ctx, m.key, m.body); err != nil {
			return fmt.Errorf("sending %s: %w", m.key, err) // later again, with the same key
		}
		err := o.guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE outbox SET sent = true WHERE key = $1", m.key)
			return err
		})
		if err != nil {
			return err // fencing.ErrStale: the next active sends it again
		}
	}
	return nil
}

type message struct{ key, body string }

func (o *outbox) unsent(ctx context.Context) ([]message, error) {
	rows, err := o.db.QueryContext(ctx, "SELECT key, body FROM outbox WHERE NOT sent ORDER BY key LIMIT 100")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []message
	for rows.Next() {
		var m message
		if err := rows.Scan(&m.key, &m.body); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// charge bills an invoice, and writes down the payment that is to be asked for.
func (o *outbox) charge(ctx context.Context, token fencing.Token, id int64) error {
	return o.guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE invoices SET billed = true WHERE id = $1", id)
		if err != nil {
			return err
		}
		invoice := fmt.Sprintf("invoice %d", id)
		return o.put(ctx, tx, token, "charge for "+invoice, invoice)
	})
}
