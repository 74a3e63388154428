package sqlfence

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrCommitUnknown: the answer to a commit got lost, so the transaction may have happened. Do not simply run it again:
// look for what it writes first, or make it such that twice is once (a unique key, an idempotency key).
var ErrCommitUnknown = errors.New("sqlfence: commit outcome unknown")

// InTx runs fn in a transaction that carries t, and commits it when fn returns nil. No newer term is admitted while it
// runs: [Guard.Advance] of that waits for it, and transactions of older tokens that begin later are refused. Transactions with the same token
// do not wait for each other (in SQLite all that write do). A token newer than the mark is announced first.
//
// fn must neither commit nor roll back, and must not use the transaction after it returned. It must return the error of each statement
// that failed: with it MySQL (a deadlock) and SQLite (an interrupted write, a full disk) may have rolled the transaction back. What
// fn sends after that is rolled back too in MySQL; in SQLite it is written at once, by itself, behind no lock, and possibly after a newer
// term was admitted. It must not wait for another InTx, which may have to wait for the newer term that waits for this one.
// When it fails or panics, all is rolled back; InTx returns its error as it is, and does not run it again. opts may be nil;
// it must not be read-only. All isolation levels that the driver has will do: fn's snapshot is not older than its lock.
//
// A zero t is [fencing.ErrMissing], unless ctx allows unfenced writes ([fencing.AllowUnfenced]): then nothing is checked or waited for.
// Otherwise errors are
//   - those of the guard: nothing was written; fn was not called.
//   - fn's: nothing was written.
//   - [ErrCommitUnknown]: all or nothing was written. It is also the answer where the database had ended the transaction before
//     fn returned nil: a failed statement whose error fn swallowed, a change of the schema in MySQL. Then that part may have been.
//   - others, of a commit that the database refused (a deferred constraint, a serialization failure; over [Connector] also after a
//     swallowed error) or that was not tried because ctx had ended: nothing was written.
func (g *Guard) InTx(ctx context.Context, t fencing.Token, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) error {
	return fencing.Report(ctx, g.inTx(ctx, t, opts, fn))
}

func (g *Guard) inTx(ctx context.Context, t fencing.Token, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) error {
	if opts != nil && opts.ReadOnly {
		return errors.New("sqlfence: TxOptions.ReadOnly is true, must be false: the lock is a write")
	}
	tx, err := g.begin(ctx, t, opts)
	if err != nil {
		return err
	}
	defer tx.close() // when fn panics it is all there is
	if err := fn(ctx, tx.Tx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sqlfence: not committed: %w", context.Cause(ctx))
	}
	return tx.commit(ctx)
}

// begin returns a transaction that holds t's lock.
func (g *Guard) begin(ctx context.Context, t fencing.Token, opts *sql.TxOptions) (*transaction, error) {
	if unfenced(ctx, t) {
		return g.beginUnfenced(ctx, opts)
	}
	if err := g.valid(t); err != nil {
		return nil, err
	}
	for announced := false; ; announced = true {
		tx, newer, err := g.tryBegin(ctx, t, opts)
		switch {
		case err != nil || !newer:
			return tx, err
		case announced:
			return nil, fmt.Errorf("%w: sqlfence: the mark of %s went back", fencing.ErrUnavailable, t.Scope)
		}
		if err := g.raise(ctx, t); err != nil {
			return nil, err
		}
	}
}

// tryBegin returns none when t has to be announced first: what is open then would be one that others wait for.
func (g *Guard) tryBegin(ctx context.Context, t fencing.Token, opts *sql.TxOptions) (tx *transaction, newer bool, err error) {
	e := &entry{lock: g.lockShared(t)}
	if e.ways != nil { // which a connection of Connector does with BEGIN
		ctx = context.WithValue(ctx, entryKey{}, e)
	}
	if tx, err = g.open(ctx, opts); err != nil {
		err = unavailable("begin", err)
		if e.tried {
			err = g.sayWhy(ctx, t, err)
		}
		return nil, false, err
	}
	if !e.entered.Load() {
		newer, err = g.enter(ctx, tx.Tx, e.lock)
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
		return nil, unavailable("begin", err)
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
func (g *Guard) enter(ctx context.Context, tx *sql.Tx, l *lock) (newer bool, err error) {
	mark, err := g.read(ctx, tx, l.read, l.token.Scope)
	if err != nil {
		return false, err
	}
	return judge(l.token, mark)
}

// sayWhy turns a failure to get the lock into the refusal behind it, if there is one: at PostgreSQL's stricter levels
// a mark raised meanwhile is a serialization failure.
func (g *Guard) sayWhy(ctx context.Context, t fencing.Token, err error) error {
	if !errors.Is(err, fencing.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if mark, unread := g.read(ctx, g.db, g.peek(t.Scope), t.Scope); unread == nil {
		if _, refused := judge(t, mark); refused != nil {
			return refused
		}
	}
	return err
}

// Verify fences a transaction that the caller opened, and will end. It must be the first statement of the
// transaction: at levels above READ COMMITTED what was read before it may be older than the token. From then on until
// the end of the transaction no newer term is admitted, as in [Guard.InTx].
//
// On any error the caller must roll back. A token newer than the mark is [fencing.ErrUnavailable]: announce it first, with [Guard.Advance].
// An error of the commit is the caller's to judge: it does not say that nothing was written.
func (g *Guard) Verify(ctx context.Context, tx *sql.Tx, t fencing.Token) error {
	if unfenced(ctx, t) {
		return g.declareUnfenced(ctx, tx)
	}
	return fencing.Report(ctx, g.verify(ctx, tx, t))
}

func (g *Guard) verify(ctx context.Context, tx *sql.Tx, t fencing.Token) error {
	if err := g.valid(t); err != nil {
		return err
	}
	newer, err := g.enter(ctx, tx, g.lockShared(t))
	if err == nil && newer {
		return fmt.Errorf("%w: sqlfence: %v was not announced", fencing.ErrUnavailable, t)
	}
	return err
}

// commitError says what a failed commit means. Only PostgreSQL's drivers tell, by the SQLSTATE, which failures are a
// refusal; all else may have happened.
func commitError(err error) error {
	if err == nil {
		return nil
	}
	if refusesCommit(sqlState(err)) {
		return fmt.Errorf("sqlfence: not committed: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrCommitUnknown, sent{err})
}

// sent is an error of what may have been done, so it is not driver.ErrBadConn, which says to whoever looks for it that nothing was.
type sent struct{ error }

func (s sent) Is(target error) bool { return target != driver.ErrBadConn && errors.Is(s.error, target) }
func (s sent) As(target any) bool   { return errors.As(s.error, target) }

// sqlState is what PostgreSQL says of an error, "" where it says nothing.
func sqlState(err error) string {
	var told interface{ SQLState() string }
	if errors.As(err, &told) {
		return told.SQLState()
	}
	return ""
}

// refusesCommit: constraints, and serialization failures and deadlocks, but not 40003, which is "statement completion unknown". And 25P02: a
// statement had failed before.
func refusesCommit(state string) bool {
	return len(state) == 5 && (state[:2] == "23" || state[:2] == "40" && state != "40003") || state == "25P02"
}
