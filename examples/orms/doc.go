// Package orms shows a fenced transaction with the libraries that services write SQL with: GORM, sqlx,
// ent, bun, sqlc and river. Each file is one of them, to copy. outbox.go sends mail and payments
// from such transactions. The tests run all of it on a real PostgreSQL.
//
// There are two ways in:
//
//   - InTx of the guard begins and commits, and the library writes in the transaction that it hands
//     out. This takes no more round trips than a transaction without a guard.
//   - The library begins and commits, and Verify of the guard comes first in its transaction.
package orms

// invoice is a row of
//
//	CREATE TABLE invoices (id BIGINT PRIMARY KEY, billed BOOLEAN NOT NULL)
type invoice struct {
	ID     int64
	Billed bool
}

// TableName is what GORM calls the table.
func (invoice) TableName() string { return "invoices" }
