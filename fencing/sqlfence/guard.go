package sqlfence

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/hotseat-go/hotseat/fencing"
)

// Announce announces t. If t is newer than the mark, Announce waits until the transactions of older
// terms have ended, and raises the mark. While it waits, no other transaction of an older term can
// start. See [fencing.Guard].
//
// Announce fails with [fencing.ErrUnavailable] if ctx ends first, or on a lock timeout of the
// database. Then the mark is unchanged and older terms go on. Announce also fails if the answer to
// the commit is lost. Then the mark may have been raised. If t is not newer, Announce does not
// wait.
func (g *marks) Announce(ctx context.Context, t fencing.Token) error {
	return fencing.Report(ctx, g.announce(ctx, t))
}

// Check does what [Guard.Announce] does, except that it admits a zero token under
// [fencing.AllowUnfenced]. Check does not fence the write that follows it: a newer term may be
// admitted in between. To write, use [Guard.InTx], or [Guard.Verify] in your own transaction.
func (g *marks) Check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	return fencing.Report(ctx, g.announce(ctx, t))
}

// Mark returns the mark of a scope. See [fencing.Guard].
func (g *marks) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, cmp.Or(g.scope, scope)); err != nil {
		return fencing.Token{}, err
	}
	return g.read(ctx, g.client, g.peek(scope), scope)
}

// valid refuses what this guard cannot judge. A guard without its own scope takes any.
func (g *marks) valid(t fencing.Token) error {
	return fencing.OwnToken(t, cmp.Or(g.scope, t.Scope))
}

// announce reads first. A mark is raised only after the transactions of older terms have ended, so
// a mark that equals t needs no lock. t's own transactions would wait behind that lock.
func (g *marks) announce(ctx context.Context, t fencing.Token) error {
	if err := g.valid(t); err != nil {
		return err
	}
	mark, err := g.read(ctx, g.client, g.peek(t.Scope), t.Scope)
	if err != nil {
		return err
	}
	newer, err := fencing.Judge(t, mark)
	switch {
	case err != nil:
		return err
	case newer:
		return g.raise(ctx, t)
	default:
		return g.prove(ctx, t)
	}
}

// raise takes the exclusive lock, compares t with the mark under the lock, and raises the mark.
func (g *marks) raise(ctx context.Context, t fencing.Token) error {
	if err := g.inspect(ctx); err != nil {
		return err
	}
	wrote, err := g.lockAndRaise(ctx, t)
	if err == nil && wrote {
		g.proven.Store(t.Scope, t)
	}
	if err == nil {
		err = g.prove(ctx, t)
	}
	return err
}

// lockAndRaise reports whether its commit wrote the mark. In PostgreSQL it does even if the mark
// was t already.
func (g *marks) lockAndRaise(ctx context.Context, t fencing.Token) (wrote bool, _ error) {
	// At PostgreSQL's stricter levels the wait for others would fail. The locks are enough.
	tx, err := g.client.Begin(ctx)
	if err != nil {
		return false, g.unavailable("begin", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it rolls nothing back
	mark, err := g.lockAndRead(ctx, tx, t)
	if err != nil {
		return false, err
	}
	newer, err := fencing.Judge(t, mark)
	if err != nil {
		return false, err
	}
	if newer {
		if _, err := tx.Exec(ctx, g.update(t)); err != nil {
			return false, g.unavailable("raising the mark", err)
		}
	}
	if err := unbroken(ctx, tx.Commit(ctx)); err != nil {
		return false, g.unavailable("raising the mark", err) // it may have been raised; a retry finds out
	}
	return newer || g.speak == PostgreSQL, nil
}

// lockAndRead waits for the older transactions.
func (g *marks) lockAndRead(
	ctx context.Context, tx Session, t fencing.Token,
) (fencing.Token, error) {
	stop, err := g.watch(ctx, tx, t.Scope)
	if err != nil {
		return fencing.Token{}, err
	}
	defer stop()
	for _, statement := range g.lockExclusive(t) {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fencing.Token{}, g.unavailable("waiting for older transactions", err)
		}
	}
	return g.read(ctx, tx, g.readLocked(t), t.Scope)
}

// read runs a query for the mark of a scope. No row is the zero Token.
func (g *marks) read(ctx context.Context, s Session, query, scope string) (fencing.Token, error) {
	rows, err := s.Query(ctx, query)
	switch {
	case err != nil:
		return fencing.Token{}, g.unavailable("reading the mark", err)
	case len(rows) == 0:
		return fencing.Token{}, nil
	}
	return decode(scope, rows[0][0], words(rows[0][1]))
}

// one returns the one value of a query's one row.
func one(ctx context.Context, s Session, query string) (string, error) {
	rows, err := s.Query(ctx, query)
	switch {
	case err != nil:
		return "", err
	case len(rows) == 0:
		return "", sql.ErrNoRows
	}
	return words(rows[0][0]), nil
}

// words is a value of a row as text; "" for NULL.
func words(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// decode makes a token of what is stored. If that is no token, the error is
// [fencing.ErrUnavailable].
func decode(scope string, epoch any, term string) (fencing.Token, error) {
	var digits string
	switch e := epoch.(type) {
	case int64:
		digits = strconv.FormatInt(e, 10)
	case []byte:
		digits = string(e)
	case string:
		digits = e
	default:
		return fencing.Token{}, fmt.Errorf("%w: the epoch stored for %s is %T, must be a whole number",
			fencing.ErrUnavailable, scope, epoch)
	}
	mark, err := fencing.ParseMark(scope+"@"+digits+"."+term, scope)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("sqlfence: the mark stored for %s is damaged: %w", scope, err)
	}
	return mark, nil
}
