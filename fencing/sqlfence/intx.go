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

// InTx runs fn in a transaction that carries t, and commits it when fn returns nil. No newer term is admitted while it
// runs: [Guard.Announce] of that waits for it, and transactions of older tokens that begin later are refused. Transactions with the same token
// do not wait for each other (in SQLite all that write do). A token newer than the mark is announced first.
//
// fn must neither commit nor roll back, and must not use the transaction after it returned. It must return the error of each statement
// that failed: with it MySQL (a deadlock) and SQLite (an interrupted write, a full disk) may have rolled the transaction back. What
// fn sends after that is rolled back too in MySQL; in SQLite it is written at once, by itself, behind no lock, and possibly after a newer
// term was admitted. It must not wait for another InTx, which may have to wait for the newer term that waits for this one: within its own context
// InTx of the same scope and pool (in SQLite: of any scope) is refused at once.
// When it fails or panics, all is rolled back; InTx returns its error as it is, and does not run it again. opts may be nil;
// it must not be read-only. All isolation levels that the driver has will do: fn's snapshot is not older than its lock. What fails before
// fn was called, only because its own term was announced meanwhile or by a deadlock, is begun again.
//
// A zero t is [fencing.ErrMissing], unless ctx allows unfenced writes ([fencing.AllowUnfenced]): then nothing is checked or waited for.
// Otherwise errors are
//   - those of the guard: nothing was written; fn was not called.
//   - fn's: nothing was written.
//   - [ErrCommitUnknown]: all or nothing was written. It is also the answer where the database had ended the transaction before
//     fn returned nil: a failed statement whose error fn swallowed, a change of the schema in MySQL, fn's own COMMIT (which only [Connector], MySQL and
//     SQLite notice if fn began another behind it). Then that part may have been.
//   - others, of a commit that the database refused (a deferred constraint, a serialization failure; over [Connector] also after a
//     swallowed error) or that was not tried because ctx had ended: nothing was written.
func (g *Guard) InTx(ctx context.Context, t fencing.Token, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) error {
	return fencing.Report(ctx, g.inTx(ctx, t, opts, fn))
}

func (g *Guard) inTx(ctx context.Context, t fencing.Token, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) error {
	if opts != nil && opts.ReadOnly {
		return errors.New("sqlfence: TxOptions.ReadOnly is true, must be false: the lock is a write")
	}
	outer := g.lineage(t.Scope)
	if open, ok := ctx.Value(outer).(*atomic.Bool); ok && open.Load() {
		return fmt.Errorf("sqlfence: InTx within InTx of %s: it would wait for itself once a newer term waits for the outer one; use that one's transaction", outer)
	}
	tx, err := g.begin(ctx, t, opts)
	if err != nil {
		return err
	}
	defer tx.close() // when fn panics it is all there is
	open := &atomic.Bool{}
	open.Store(true)
	defer open.Store(false)
	if err := fn(context.WithValue(ctx, outer, open), tx.Tx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sqlfence: not committed: %w", context.Cause(ctx))
	}
	return tx.commit(ctx)
}

// lineage is the key by which a context tells that it is of an open transaction with this lock.
type lineage struct {
	db           *sql.DB
	table, scope string
}

func (l lineage) String() string { return cmp.Or(l.scope, "one database") }

func (g *Guard) lineage(scope string) lineage {
	if g.speak == SQLite { // which has one lock for all
		return lineage{db: g.db}
	}
	return lineage{g.db, g.table, scope}
}

// begin returns a transaction that holds t's lock.
func (g *Guard) begin(ctx context.Context, t fencing.Token, opts *sql.TxOptions) (*transaction, error) {
	if fencing.Unfenced(ctx, t) {
		return g.beginUnfenced(ctx, opts)
	}
	if err := g.valid(t); err != nil {
		return nil, err
	}
	for tries, announced := 0, false; ; tries++ {
		tx, newer, err := g.tryBegin(ctx, t, opts)
		switch {
		case err == nil && !newer:
			return tx, nil
		case err != nil && tries < mostTries && ctx.Err() == nil && g.mayBeginAgain(err):
			continue
		case err != nil:
			return nil, err
		case announced:
			return nil, fmt.Errorf("%w: sqlfence: the mark of %s went back", fencing.ErrUnavailable, t.Scope)
		}
		if err := g.raise(ctx, t); err != nil {
			return nil, err
		}
		announced = true
	}
}

// mostTries is how often a transaction is begun again, above all because its own term was announced while it began.
const mostTries = 10

// tryBegin returns none when t has to be announced first: what is open then would be one that others wait for.
func (g *Guard) tryBegin(ctx context.Context, t fencing.Token, opts *sql.TxOptions) (tx *transaction, newer bool, err error) {
	e := &entry{lock: g.lockShared(t), tells: g.triggered.Load()}
	if e.plain != nil { // which a connection of Connector does with BEGIN
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
		newer, err = g.enter(ctx, tx.Tx, e.lock, opts != nil && isStrict(opts.Isolation))
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
	if err = g.declareUnfenced(ctx, tx.Tx); err == nil {
		err = tx.mark(ctx)
	}
	if err != nil {
		tx.close()
		return nil, err
	}
	return tx, nil
}

// enter takes the lock, and tells whether its token has to be announced first.
func (g *Guard) enter(ctx context.Context, tx *sql.Tx, l *lock, strict bool) (newer bool, err error) {
	if l.fast != "" && !strict {
		entered, plain, err := g.enterPlainly(ctx, tx, l)
		if err != nil || entered {
			return false, err
		}
		if plain { // and the lock is there, so what is read now is what it protects
			l = &lock{token: l.token, read: g.peek(l.token.Scope)}
		}
	}
	mark, err := g.read(ctx, tx, l.read, l.token.Scope)
	if err != nil {
		return false, err
	}
	return fencing.Judge(l.token, mark)
}

// enterPlainly is for READ COMMITTED: plain tells whether that is what it is, if it did not enter.
func (g *Guard) enterPlainly(ctx context.Context, tx *sql.Tx, l *lock) (entered, plain bool, err error) {
	result, err := tx.ExecContext(ctx, l.fast)
	if err != nil {
		return false, false, g.unavailable("waiting for the lock", err)
	}
	if n, err := result.RowsAffected(); err == nil && n == 1 {
		return true, true, nil
	}
	if err = tx.QueryRowContext(ctx, "SELECT "+plainLevel()).Scan(&plain); err != nil {
		return false, false, g.unavailable("asking for the level of isolation", err)
	}
	return false, plain, nil
}

// sayWhy turns a failure to get the lock into the refusal behind it, if there is one: at PostgreSQL's stricter levels
// a mark raised meanwhile is a serialization failure.
func (g *Guard) sayWhy(ctx context.Context, t fencing.Token, err error) error {
	if !errors.Is(err, fencing.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if mark, unread := g.read(ctx, g.db, g.peek(t.Scope), t.Scope); unread == nil {
		if _, refused := fencing.Judge(t, mark); refused != nil {
			return refused
		}
	}
	return err
}

// Verify fences a transaction that the caller opened, and will end. It must be the first statement of the
// transaction: at levels above READ COMMITTED what was read before it may be older than the token. From then on until
// the end of the transaction no newer term is admitted, as in [Guard.InTx].
//
// On any error the caller must roll back. A token newer than the mark is [fencing.ErrUnavailable]: announce it first, with [Guard.Announce].
// An error of the commit is the caller's to judge: it does not say that nothing was written.
func (g *Guard) Verify(ctx context.Context, tx *sql.Tx, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return g.declareUnfenced(ctx, tx)
	}
	return fencing.Report(ctx, g.verify(ctx, tx, t))
}

func (g *Guard) verify(ctx context.Context, tx *sql.Tx, t fencing.Token) error {
	if err := g.valid(t); err != nil {
		return err
	}
	newer, err := g.enter(ctx, tx, g.lockShared(t), false)
	if err == nil && newer {
		return fmt.Errorf("%w: sqlfence: %v was not announced", fencing.ErrUnavailable, t)
	}
	return err
}
