package sqlfence

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hotseat-go/hotseat/fencing"
)

// InTx runs fn in a transaction that carries t, and commits the transaction when fn returns nil. No
// newer term is admitted meanwhile: [Guard.Announce] of a newer token waits for the transaction.
// Transactions of older tokens that begin after the announcement are refused. Transactions with the
// same token do not wait for each other. (In SQLite, all writing transactions wait for each other.)
// If t is newer than the mark, InTx announces it first.
//
// Rules for fn:
//   - It must not commit or roll back, and must not use the transaction after it has returned.
//   - It must return the error of any failed statement. MySQL (on a deadlock) and SQLite (on an
//     interrupted write or a full disk) may have rolled the transaction back. On MySQL, InTx also
//     rolls back what fn sends after that. On SQLite, each later statement of fn commits at once,
//     under no lock, and possibly after a newer term was admitted.
//   - It must not wait for another InTx. The other InTx may be queued behind the announcement of a
//     newer term, and the announcement waits for fn's transaction. If the inner InTx gets fn's
//     context and has the same scope and pool (in SQLite: any scope), it is refused at once.
//
// If fn fails or panics, all is rolled back. InTx returns fn's error unchanged, and does not run fn
// again.
//
// opts may be nil. It must not be read-only. Every isolation level of the driver will do: fn sees
// all that earlier terms wrote in fenced transactions. If the beginning of the transaction fails
// because of a deadlock, or of an announcement of the same term, InTx begins again; fn has not run
// yet.
//
// For a zero t, InTx returns [fencing.ErrMissing], unless ctx allows unfenced writes
// ([fencing.AllowUnfenced]). Then InTx checks nothing and waits for nothing. Other errors are
//   - an error of the guard: nothing was written, and fn was not called.
//   - fn's error: nothing was written. The exception is in SQLite, if fn swallowed an earlier error
//     that had ended the transaction.
//   - [ErrCommitUnknown]: the answer to the commit was lost, so all or nothing was written. Or the
//     database had ended the transaction before fn returned nil, so a part may have been written.
//     What ends a transaction early is a failed statement whose error fn swallowed, a change of the
//     schema in MySQL, or fn's own COMMIT. (If fn then began another transaction, only [Connector],
//     MySQL and SQLite notice.)
//   - any other error: nothing was written. Either there was no commit because ctx had ended, or
//     the database refused the commit. It refuses the commit for a deferred constraint or a
//     serialization failure. Over [Connector] it also does so if fn swallowed the error of a failed
//     statement.
func (g *Guard) InTx(
	ctx context.Context, t fencing.Token, opts *sql.TxOptions,
	fn func(context.Context, *sql.Tx) error,
) error {
	return fencing.Report(ctx, g.inTx(ctx, t, opts, fn))
}

func (g *Guard) inTx(
	ctx context.Context, t fencing.Token, opts *sql.TxOptions,
	fn func(context.Context, *sql.Tx) error,
) error {
	if opts != nil && opts.ReadOnly {
		return errors.New("sqlfence: TxOptions.ReadOnly is true, must be false: the lock is a write")
	}
	inner, leave, err := g.nest(ctx, g.db, t.Scope)
	if err != nil {
		return err
	}
	defer leave()
	tx, err := g.begin(ctx, t, opts)
	if err != nil {
		return err
	}
	defer tx.close() // it also ends the transaction when fn panics
	if err := fn(inner, tx.Tx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sqlfence: not committed: %w", context.Cause(ctx))
	}
	return tx.commit(ctx)
}

// lineage is the context key of an open transaction with this lock.
type lineage struct {
	pool         any
	table, scope string
}

func (l lineage) String() string { return cmp.Or(l.scope, "one database") }

// nest refuses a transaction within another one with the same lock. fn gets the context that it
// returns, and leave is called when fn has returned.
func (g *marks) nest(
	ctx context.Context, pool any, scope string,
) (inner context.Context, leave func(), _ error) {
	key := lineage{pool, g.table, scope}
	if g.speak == SQLite { // it has one lock for all
		key = lineage{pool: pool}
	}
	if open, ok := ctx.Value(key).(*atomic.Bool); ok && open.Load() {
		return nil, nil, fmt.Errorf("sqlfence: InTx within InTx of %s: it would wait for itself"+
			" once a newer term waits for the outer one; use the outer transaction", key)
	}
	open := &atomic.Bool{}
	open.Store(true)
	return context.WithValue(ctx, key, open), func() { open.Store(false) }, nil
}

// begin returns a transaction that holds t's lock.
func (g *Guard) begin(
	ctx context.Context, t fencing.Token, opts *sql.TxOptions,
) (*transaction, error) {
	if fencing.Unfenced(ctx, t) {
		return g.beginUnfenced(ctx, opts)
	}
	var tx *transaction
	err := g.enterWith(ctx, t, func() (newer bool, err error) {
		tx, newer, err = g.tryBegin(ctx, t, opts)
		return newer, err
	})
	return tx, err
}

// enterWith calls try until it has begun a transaction with t's lock. If try reports that t is
// newer than the mark, it announces t in between.
func (g *marks) enterWith(
	ctx context.Context, t fencing.Token, try func() (newer bool, err error),
) error {
	if err := g.valid(t); err != nil {
		return err
	}
	for tries, announced := 0, false; ; tries++ {
		newer, err := try()
		switch {
		case err == nil && !newer:
			return nil
		case err != nil && tries < mostTries && ctx.Err() == nil && g.mayBeginAgain(err):
			continue
		case err != nil:
			return err
		case announced:
			return fmt.Errorf("%w: sqlfence: the mark of %s went back", fencing.ErrUnavailable, t.Scope)
		}
		if err := g.raise(ctx, t); err != nil {
			return err
		}
		announced = true
	}
}

// mostTries is how often a transaction is begun again, mostly because its own term was announced
// while it began.
const mostTries = 10

// tryBegin returns no transaction if t has to be announced first: others would wait for an open
// one.
func (g *Guard) tryBegin(
	ctx context.Context, t fencing.Token, opts *sql.TxOptions,
) (tx *transaction, newer bool, err error) {
	e := &entry{lock: g.lockShared(t), tells: g.triggered.Load()}
	if e.plain != nil { // a connection of Connector takes the lock with BEGIN
		ctx = context.WithValue(ctx, entryKey{}, e)
	}
	if tx, err = g.open(ctx, opts); err != nil {
		err = g.unavailable("begin", err)
		if e.tried {
			err = g.sayWhy(ctx, t, err)
		}
		return nil, false, err
	}
	if !e.entered.Load() {
		newer, err = g.enter(ctx, session{tx.Tx}, e.lock, opts != nil && isStrict(opts.Isolation))
	}
	if err == nil && !newer {
		err = tx.mark(ctx)
	}
	if err != nil || newer {
		tx.close()
		return nil, newer, g.sayWhy(ctx, t, err)
	}
	return tx, false, nil
}

func (g *Guard) beginUnfenced(ctx context.Context, opts *sql.TxOptions) (*transaction, error) {
	tx, err := g.open(ctx, opts)
	if err != nil {
		return nil, g.unavailable("begin", err)
	}
	if err = g.declareUnfenced(ctx, session{tx.Tx}); err == nil {
		err = tx.mark(ctx)
	}
	if err != nil {
		tx.close()
		return nil, err
	}
	return tx, nil
}

// enter takes the lock, and reports whether its token has to be announced first.
func (g *marks) enter(
	ctx context.Context, tx Session, l *lock, strict bool,
) (newer bool, err error) {
	if l.fast != "" && !strict {
		entered, plain, err := g.enterPlainly(ctx, tx, l)
		if err != nil || entered {
			return false, err
		}
		if plain { // the lock is taken, so it protects what is read now
			l = &lock{token: l.token, read: g.peek(l.token.Scope)}
		}
	}
	mark, err := g.read(ctx, tx, l.read, l.token.Scope)
	if err != nil {
		return false, err
	}
	return fencing.Judge(l.token, mark)
}

// enterPlainly is for READ COMMITTED. If it did not enter, plain reports whether the level is READ
// COMMITTED.
func (g *marks) enterPlainly(
	ctx context.Context, tx Session, l *lock,
) (entered, plain bool, err error) {
	n, err := tx.Exec(ctx, l.fast)
	if err != nil {
		return false, false, g.unavailable("waiting for the lock", err)
	}
	if n == 1 {
		return true, true, nil
	}
	if plain, err = isPlain(ctx, tx); err != nil {
		return false, false, g.unavailable("asking for the isolation level", err)
	}
	return false, plain, nil
}

// sayWhy turns a failure to get the lock into the refusal that caused it, if there is one. At
// PostgreSQL's stricter levels, a mark raised meanwhile is a serialization failure.
func (g *marks) sayWhy(ctx context.Context, t fencing.Token, err error) error {
	if !errors.Is(err, fencing.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if mark, unread := g.read(ctx, g.client, g.peek(t.Scope), t.Scope); unread == nil {
		if _, refused := fencing.Judge(t, mark); refused != nil {
			return refused
		}
	}
	return err
}

// Verify fences a transaction that the caller opened and will end. It must be the first statement
// of the transaction: at levels above READ COMMITTED, what was read before it may be older than the
// token. From then until the end of the transaction no newer term is admitted, as in [Guard.InTx].
//
// On any error the caller must roll back. For a token newer than the mark, Verify returns
// [fencing.ErrUnavailable]: announce it first, with [Guard.Announce]. If the caller's commit
// returns an error, the transaction may have been written all the same. The caller has to find out.
func (g *Guard) Verify(ctx context.Context, tx *sql.Tx, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return g.declareUnfenced(ctx, session{tx})
	}
	return fencing.Report(ctx, g.verify(ctx, session{tx}, t))
}

func (g *marks) verify(ctx context.Context, tx Session, t fencing.Token) error {
	if err := g.valid(t); err != nil {
		return err
	}
	newer, err := g.enter(ctx, tx, g.lockShared(t), false)
	if err == nil && newer {
		return fmt.Errorf("%w: sqlfence: %v was not announced", fencing.ErrUnavailable, t)
	}
	return err
}
