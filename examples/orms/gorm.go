package orms

import (
	"context"
	"database/sql"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// openGorm opens GORM over the pool that the guard has. prepare says whether GORM keeps prepared
// statements.
func openGorm(db *sql.DB, prepare bool) (*gorm.DB, error) {
	return gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{PrepareStmt: prepare})
}

// inGorm runs fn in a fenced transaction. With PrepareStmt, the statements of fn are not prepared:
// GORM prepares only over its own pool.
func inGorm(
	ctx context.Context, guard *sqlfence.Guard, token fencing.Token, orm *gorm.DB,
	fn func(*gorm.DB) error,
) error {
	return guard.InTx(ctx, token, nil, func(ctx context.Context, tx *sql.Tx) error {
		// InTx has begun the transaction: GORM must not begin one for each statement.
		session := orm.Session(&gorm.Session{
			NewDB: true, Context: ctx, SkipDefaultTransaction: true,
		})
		session.Statement.ConnPool = tx
		return fn(session)
	})
}

func billWithGorm(
	ctx context.Context, guard *sqlfence.Guard, token fencing.Token, orm *gorm.DB, id int64,
) error {
	return inGorm(ctx, guard, token, orm, func(tx *gorm.DB) error {
		return tx.Model(&invoice{ID: id}).Update("billed", true).Error
	})
}
