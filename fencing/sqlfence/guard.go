package sqlfence

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/hotseat-go/hotseat/fencing"
)

// Announce tells the guard of t. When t is newer than the mark, it waits until the transactions of older terms have ended,
// and raises the mark; in doing so it keeps later ones of older terms from starting. See [fencing.Guard].
//
// It fails with [fencing.ErrUnavailable] when ctx ends first, or a lock timeout of the database. Then the mark is mostly as before,
// and older terms go on. When it is not newer, nothing waits.
func (g *Guard) Announce(ctx context.Context, t fencing.Token) error {
	return fencing.Report(ctx, g.announce(ctx, t))
}

// Check is [Guard.Announce], but for a zero token in a context of [fencing.AllowUnfenced]. Nothing binds what follows to it: use
// [Guard.InTx], or [Guard.Verify] in a transaction of your own.
func (g *Guard) Check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	return fencing.Report(ctx, g.announce(ctx, t))
}

// Mark returns the mark of a scope. See [fencing.Guard].
func (g *Guard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, cmp.Or(g.scope, scope)); err != nil {
		return fencing.Token{}, err
	}
	return g.read(ctx, g.db, g.peek(scope), scope)
}

// valid refuses what this guard cannot judge. Without a scope of its own it takes any.
func (g *Guard) valid(t fencing.Token) error {
	return fencing.OwnToken(t, cmp.Or(g.scope, t.Scope))
}

// announce reads first: a mark is only raised when the transactions of older terms have ended, so one that equals t
// needs no lock, behind which t's own transactions would wait.
func (g *Guard) announce(ctx context.Context, t fencing.Token) error {
	if err := g.valid(t); err != nil {
		return err
	}
	mark, err := g.read(ctx, g.db, g.peek(t.Scope), t.Scope)
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

// raise takes the exclusive lock, compares with what the mark is by then, and raises it.
func (g *Guard) raise(ctx context.Context, t fencing.Token) error {
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

// lockAndRaise tells whether its commit wrote the mark. In PostgreSQL also where that was t already.
func (g *Guard) lockAndRaise(ctx context.Context, t fencing.Token) (wrote bool, _ error) {
	// PostgreSQL's stricter levels would refuse the wait for others; the locks are enough.
	opts := &sql.TxOptions{}
	if g.speak == PostgreSQL {
		opts.Isolation = sql.LevelReadCommitted
	}
	begin := g.db.BeginTx
	if g.speak != PostgreSQL { // whose settings end with the transaction
		conn, release, err := g.announcer(ctx)
		if err != nil {
			return false, g.unavailable("begin", err)
		}
		defer release()
		begin = conn.BeginTx
	}
	tx, err := begin(ctx, opts)
	if err != nil {
		return false, g.unavailable("begin", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	mark, err := g.lockAndRead(ctx, tx, t)
	if err != nil {
		return false, err
	}
	newer, err := fencing.Judge(t, mark)
	if err != nil {
		return false, err
	}
	if newer {
		if _, err := tx.ExecContext(ctx, g.update(t)); err != nil {
			return false, g.unavailable("raising the mark", err)
		}
	}
	if err := unbroken(ctx, tx.Commit()); err != nil {
		return false, g.unavailable("raising the mark", err) // it may be raised; a retry finds out
	}
	return newer || g.speak == PostgreSQL, nil
}

// lockAndRead waits for the older transactions.
func (g *Guard) lockAndRead(ctx context.Context, tx *sql.Tx, t fencing.Token) (fencing.Token, error) {
	stop, err := g.watch(ctx, tx, t.Scope)
	if err != nil {
		return fencing.Token{}, err
	}
	defer stop()
	for _, statement := range g.lockExclusive(t) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fencing.Token{}, g.unavailable("waiting for older transactions", err)
		}
	}
	return g.read(ctx, tx, g.readLocked(t), t.Scope)
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// read runs a query for the mark of a scope. No row is the zero Token.
func (g *Guard) read(ctx context.Context, q querier, query, scope string) (fencing.Token, error) {
	var epoch any
	var term sql.NullString
	switch err := q.QueryRowContext(ctx, query).Scan(&epoch, &term); {
	case errors.Is(err, sql.ErrNoRows):
		return fencing.Token{}, nil
	case err != nil:
		return fencing.Token{}, g.unavailable("reading the mark", err)
	}
	return decode(scope, epoch, term.String)
}

// decode makes a token of what is stored. What is no token is [fencing.ErrUnavailable].
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
		return fencing.Token{}, fmt.Errorf("%w: the epoch stored for %s is %T, must be a whole number", fencing.ErrUnavailable, scope, epoch)
	}
	mark, err := fencing.ParseMark(scope+"@"+digits+"."+term, scope)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("sqlfence: the mark stored for %s is damaged: %w", scope, err)
	}
	return mark, nil
}
