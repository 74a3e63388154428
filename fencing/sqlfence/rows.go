package sqlfence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrNoRow: [Guard.RowChanged] found no row. It cannot tell whether the row never existed or was
// deleted.
var ErrNoRow = errors.New("sqlfence: no such row")

// RowSet returns the assignments that keep t in a row. A statement that fences single rows adds
// them to its own SET list. The table needs the columns
//
//	fence_epoch BIGINT, fence_term CHAR(32)
//
// which may be NULL in rows that were never fenced. Use RowSet with [Guard.RowWhere] and
// [Guard.RowChanged]:
//
//	UPDATE accounts SET balance = $1, <RowSet> WHERE id = $2 AND <RowWhere>
//
// This has two gaps. A row fences only itself: a row that does not exist yet, or was deleted, has
// no mark, and a stale INSERT passes. And a row learns of a newer term only with that term's first
// write, not with the announcement. [Guard.InTx] has no such gap. RowSet is for writers that cannot
// afford the lock of InTx.
//
// The returned text has no placeholders. An invalid token is an error.
func (g *marks) RowSet(t fencing.Token) (string, error) {
	if err := g.valid(t); err != nil {
		return "", err
	}
	return fmt.Sprintf("fence_epoch = %d, fence_term = %s", t.Epoch, text(t.Term)), nil
}

// RowWhere returns the condition under which a row admits t. See [Guard.RowSet]. If the statement
// names several tables, pass one more argument: the name or alias of the fenced table. It must be a
// single name, by the rules for one part of [Config.Table], with the same upper and lower case as
// in the database:
//
//	INSERT INTO accounts ... ON CONFLICT (id)
//	  DO UPDATE SET balance = excluded.balance, <RowSet> WHERE <RowWhere of "accounts">
func (g *marks) RowWhere(t fencing.Token, of ...string) (string, error) {
	if err := g.valid(t); err != nil {
		return "", err
	}
	prefix := ""
	switch len(of) {
	case 0:
	case 1:
		quoted, err := g.speak.quote(of[0])
		if err != nil {
			return "", fmt.Errorf("sqlfence: table: %w", err)
		}
		prefix = quoted + "."
	default:
		return "", fmt.Errorf("sqlfence: RowWhere of %d tables, must be one", len(of))
	}
	epoch, term := prefix+"fence_epoch", prefix+"fence_term"
	return fmt.Sprintf("(%s IS NULL OR (%s >= 1 AND %s < %d) OR (%s = %d AND %s = %s))",
		epoch, epoch, epoch, t.Epoch, epoch, t.Epoch, term, text(t.Term)), nil
}

// RowChanged says what the result of a statement with [Guard.RowWhere] means. If rows were changed,
// it returns nil. If none was, it looks up the row with the condition in where, and its args. That
// condition is the statement's own, without RowWhere, and must match one row at most. RowChanged
// returns
//   - fencing.ErrStale, if the row is of a newer term; ErrConflict, if it is of another term with
//     the same epoch;
//   - [ErrNoRow], if there is no row;
//   - fencing.ErrUnavailable, if the row now admits t: it has changed since the statement, so
//     retry. With MySQL, connect with clientFoundRows=true. Otherwise an update that changed
//     nothing has this error too.
//
// Call it in the transaction of the statement.
func (g *Guard) RowChanged(
	ctx context.Context, tx *sql.Tx, t fencing.Token, result sql.Result,
	table, where string, args ...any,
) error {
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("sqlfence: counting rows: %w", err)
	}
	return fencing.Report(ctx, g.rowChanged(ctx, session{tx}, t, n, table, where, args))
}

func (g *marks) rowChanged(
	ctx context.Context, tx Session, t fencing.Token, n int64,
	table, where string, args []any,
) error {
	if err := g.valid(t); err != nil {
		return err
	}
	if n > 0 {
		return nil
	}
	quoted, err := g.speak.quote(table)
	if err != nil {
		return fmt.Errorf("sqlfence: table: %w", err)
	}
	query := "SELECT fence_epoch, fence_term FROM " + quoted + " WHERE " + where
	if g.speak == MySQL {
		query += " LOCK IN SHARE MODE" // read what the statement saw, not an older snapshot
	}
	rows, err := tx.Query(ctx, query, args...)
	switch {
	case err != nil:
		return g.unavailable("reading a row's mark", err)
	case len(rows) == 0:
		return fmt.Errorf("%w in %s", ErrNoRow, table)
	}
	if epoch := rows[0][0]; epoch != nil {
		mark, err := decode(t.Scope, epoch, words(rows[0][1]))
		if err != nil {
			return err
		}
		if _, err := fencing.Judge(t, mark); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: sqlfence: a row of %s changed in between", fencing.ErrUnavailable, table)
}
