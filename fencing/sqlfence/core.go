package sqlfence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// Session runs statements of PostgreSQL. See [Core].
type Session interface {
	// Exec sends statement as one message. If there are no args, statement may consist of several
	// statements. Exec returns how many rows the last of them changed or returned.
	Exec(ctx context.Context, statement string, args ...any) (rows int64, err error)

	// Query runs one statement and returns its rows. A value is a string, []byte, int64,
	// bool or nil.
	Query(ctx context.Context, statement string, args ...any) (rows [][]any, err error)
}

// Client is a PostgreSQL database that is reached without database/sql. See [Core]. Each Exec or
// Query that is called on a Client, not on a Transaction, may use any connection, and is a
// transaction by itself. A Client is safe for concurrent use, also while a Transaction is open.
type Client interface {
	Session

	// Begin begins a transaction at READ COMMITTED, on a connection of its own.
	Begin(ctx context.Context) (Transaction, error)
}

// Transaction is the transaction of an announcement.
type Transaction interface {
	Session

	// Commit commits.
	Commit(ctx context.Context) error

	// Rollback is called once, at the end, also after Commit. Its ctx may have ended by then. It rolls
	// back what was not committed, and gives the connection back.
	Rollback(ctx context.Context) error
}

// Core is for authors of guards over other clients of PostgreSQL than database/sql, such as package
// pgxfence. It is a [Guard] with the same table, statements and errors. Instead of InTx it has the
// parts of InTx. Errors of a client must have a method SQLState, as those of pgx and lib/pq have.
//
// Its methods do not pass their outcome to [fencing.Report], except Announce and Check. All methods
// are safe for concurrent use.
type Core struct{ marks }

var _ fencing.Checker = (*Core)(nil)

// NewCore returns the core of a guard over c. In cfg, DB and Dialect must not be set. It fails if
// cfg breaks a rule of [Config], and names every broken rule. It does not use the database.
func NewCore(c Client, cfg Config) (*Core, error) {
	if c == nil {
		return nil, errors.New("sqlfence: the client of NewCore is nil, must be set")
	}
	if cfg.DB != nil || cfg.Dialect != 0 {
		return nil, errors.New("sqlfence: Config.DB and Config.Dialect are set, must not be for NewCore")
	}
	cfg.Dialect = PostgreSQL
	core := &Core{}
	core.client, core.raises = c, true
	if err := core.configure(cfg); err != nil {
		return nil, err
	}
	return core, nil
}

// Enter calls try until it has begun a transaction with [Core.Begin]. try returns the error of
// Begin, or its own if it got no connection. try must give its connection back before it returns an
// error: Enter may wait for transactions of older terms between two calls of try. Enter returns the
// errors that [Guard.InTx] can return before it calls fn.
func (c *Core) Enter(ctx context.Context, t fencing.Token, try func() error) error {
	return c.enterWith(ctx, t, func() (newer bool, err error) {
		err = try()
		switch {
		case err == nil:
			return false, nil
		case errors.Is(err, errNotTheMark):
			mark, unread := c.read(ctx, c.client, c.peek(t.Scope), t.Scope)
			if unread != nil {
				return false, unread
			}
			newer, refused := fencing.Judge(t, mark)
			if refused != nil || newer {
				return newer, refused
			}
			return false, err // it became the mark in between, or the level was another one
		default:
			return false, c.sayWhy(ctx, t, c.unavailable("begin", err))
		}
	})
}

// errNotTheMark: the token was not the mark when a transaction began.
var errNotTheMark = fmt.Errorf("%w: sqlfence: the mark changed while a transaction began",
	fencing.ErrUnavailable)

// Begin begins a fenced transaction of t on the connection of s. k must be the Known of that
// connection. Begin calls send, and passes the guard's statements as the argument lock. The
// function send must transmit one message: BEGIN with the options of the transaction, a semicolon,
// and lock. So the transaction begins in one round trip. If any of these statements fails, send
// must roll back and return the error. Begin may then call send again, with another lock. level is
// the isolation level that send sets; sql.LevelDefault is that of the session.
func (c *Core) Begin(
	ctx context.Context, s Session, k *Known, t fencing.Token, level sql.IsolationLevel,
	send func(lock string) error,
) error {
	l := c.lockShared(t)
	if !c.triggered.Load() && !k.hasTriggers(func(query string) (int64, error) {
		return s.Exec(ctx, query)
	}) {
		l = l.quiet
	}
	strict := isStrict(level) || level == sql.LevelDefault && k.strict
	ways := l.strict
	if !strict {
		ways = k.plainWays(l)
	}
	var err error
	for _, way := range ways {
		err = send(way)
		refused := err != nil && sqlState(err) == notTheMark
		if (err == nil || refused) && !strict && way != l.plain[2] {
			k.keep(l) // what it prepared stays, also after a rollback
		}
		if err == nil || !isOfPrepared(err) {
			break
		}
	}
	if err == nil || sqlState(err) != notTheMark {
		return err
	}
	k.RolledBack()
	if level == sql.LevelDefault {
		plain, unknown := isPlain(ctx, s)
		if unknown != nil {
			return unknown
		}
		k.strict = !plain
	}
	return errNotTheMark
}

// Nest must be called before a transaction begins. It refuses a transaction inside another one of
// the same pool and scope: see [Guard.InTx]. Use inner as the context of everything in the
// transaction, and call leave when it is over.
func (c *Core) Nest(
	ctx context.Context, pool any, scope string,
) (inner context.Context, leave func(), _ error) {
	return c.nest(ctx, pool, scope)
}

// Declare lets tx pass the triggers of [Guard.Triggers] without a token, if ctx allows that
// ([fencing.AllowUnfenced]).
func (c *Core) Declare(ctx context.Context, tx Session) error { return c.declareUnfenced(ctx, tx) }

// Verify is [Guard.Verify].
func (c *Core) Verify(ctx context.Context, tx Session, t fencing.Token) error {
	return c.verify(ctx, tx, t)
}

// Held returns a statement that fails if the open transaction does not hold t's lock. If
// [EndsTransaction] is true for a statement that was sent in the transaction, commit with one
// message: the returned statement, then COMMIT.
func (c *Core) Held(t fencing.Token) string { return c.held(t.Scope) }

// RowChanged is [Guard.RowChanged] for a statement that changed n rows.
func (c *Core) RowChanged(
	ctx context.Context, tx Session, t fencing.Token, n int64, table, where string, args ...any,
) error {
	return c.rowChanged(ctx, tx, t, n, table, where, args)
}

// CommitError classifies err, the error of a commit. If its SQLSTATE says that the database refused
// the commit, the result wraps err and says "not committed". Any other error becomes
// [ErrCommitUnknown].
func CommitError(err error) error { return commitError(err) }

// EndsTransaction is true for every statement that ends a transaction, and for some others.
func EndsTransaction(statement string) bool { return endsTransactions(statement) }
