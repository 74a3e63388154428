package sqlfence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrNoRow: [Guard.RowChanged] found no row at all. Whether it never was or was deleted, the mark does not say.
var ErrNoRow = errors.New("sqlfence: no such row")

// RowSet is what a statement that fences single rows sets, beside its own columns: it keeps t in the row. The table needs the columns
//
//	fence_epoch BIGINT, fence_term CHAR(32)
//
// which may be NULL for rows that were never fenced. Use it with [Guard.RowWhere] and [Guard.RowChanged]:
//
//	UPDATE accounts SET balance = $1, <RowSet> WHERE id = $2 AND <RowWhere>
//
// A row fences itself only: one that is not there yet, or was deleted, has no mark, and a stale INSERT
// passes. And it learns of a newer term with that term's first write, not with its announcement. [Guard.InTx] has none of these gaps;
// this is for writers that cannot afford its lock. The text has no placeholders. Invalid tokens are an error.
func (g *Guard) RowSet(t fencing.Token) (string, error) {
	if err := g.valid(t); err != nil {
		return "", err
	}
	return fmt.Sprintf("fence_epoch = %d, fence_term = %s", t.Epoch, text(t.Term)), nil
}

// RowWhere is the condition under which a row admits t. See [Guard.RowSet]. Where the statement knows more than one table, of gives the name or alias
// of the one that is fenced, one word as in [Config.Table], in the database's own case:
//
//	INSERT INTO accounts ... ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, <RowSet> WHERE <RowWhere of "accounts">
func (g *Guard) RowWhere(t fencing.Token, of ...string) (string, error) {
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

// RowChanged says what the result of a statement with [Guard.RowWhere] means. If rows were changed, nil. If none was, it looks
// at the row that where finds with its args (the statement's own condition without RowWhere; it must be for one row):
//   - a row of a newer term: fencing.ErrStale, or ErrConflict.
//   - no row: [ErrNoRow].
//   - a row that admits t: fencing.ErrUnavailable. It changed in between; retry. With MySQL, connect with clientFoundRows=true, or this
//     is also said of an update that changed nothing.
//
// Call it in the transaction of the statement.
func (g *Guard) RowChanged(ctx context.Context, tx *sql.Tx, t fencing.Token, result sql.Result, table, where string, args ...any) error {
	return fencing.Report(ctx, g.rowChanged(ctx, tx, t, result, table, where, args))
}

func (g *Guard) rowChanged(ctx context.Context, tx *sql.Tx, t fencing.Token, result sql.Result, table, where string, args []any) error {
	if err := g.valid(t); err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("sqlfence: counting rows: %w", err)
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
		query += " LOCK IN SHARE MODE" // as the statement saw it, not as an older snapshot does
	}
	var epoch any
	var term sql.NullString
	switch err := tx.QueryRowContext(ctx, query, args...).Scan(&epoch, &term); {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w in %s", ErrNoRow, table)
	case err != nil:
		return g.unavailable("reading a row's mark", err)
	}
	if epoch != nil {
		mark, err := decode(t.Scope, epoch, term.String)
		if err != nil {
			return err
		}
		if _, err := fencing.Judge(t, mark); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: sqlfence: a row of %s changed in between", fencing.ErrUnavailable, table)
}
