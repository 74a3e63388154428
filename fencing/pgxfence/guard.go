package pgxfence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// ErrCommitUnknown: the answer to a commit was lost, so the transaction may have happened. Do not
// simply run it again. Look for what it writes first, or make a repetition harmless (with a unique
// key or an idempotency key). It is [sqlfence.ErrCommitUnknown].
var ErrCommitUnknown = sqlfence.ErrCommitUnknown

// ErrNoRow: [Guard.RowChanged] found no row. It cannot tell whether the row never existed or was
// deleted. It is [sqlfence.ErrNoRow].
var ErrNoRow = sqlfence.ErrNoRow

// Config configures a [Guard].
type Config struct {
	// Pool is the database that is written to. It must be the primary: the mark on a replica is an old
	// one. A pool of one connection will do, except with HoldLimit and IdleLimit. Required.
	Pool *pgxpool.Pool

	// Table holds the marks. It is name or schema.name, as in sqlfence.Config. Default: hotseat_fence.
	Table string

	// Scope binds the guard to one scope, which is [fencing.Scope] of the Lease, such as
	// shop/invoicer. The guard refuses other scopes with fencing.ErrScope. If Scope is empty, the
	// guard takes any scope, and keeps a mark for each. Then a token of any other Lease is accepted
	// too.
	Scope string

	// IdleLimit is for a client, such as a frozen replica, that stands still in a transaction of
	// [Guard.InTx] or [Guard.Verify]. It bounds how long that client may hold up its successor. It is
	// rounded up to milliseconds. See "Limits of time" in the documentation of sqlfence. Zero leaves
	// it to the server's own limits, if it has some; negative is an error.
	IdleLimit time.Duration

	// HoldLimit is how long [Guard.Announce] waits for the transactions of older terms. Then Announce
	// ends their sessions, even in the middle of a long statement. Announce can end only sessions of
	// its own database user, and needs a second connection of Pool for that. Zero means no limit;
	// negative is an error.
	HoldLimit time.Duration

	// RequireDurable refuses announcements if the settings of the database allow a crash to lose a
	// mark. Without it, Logger gets a warning.
	RequireDurable bool

	// Logger gets a warning at the first announcement if a crash may lose a mark, and one for each
	// session that was ended because of HoldLimit or IdleLimit. Nil means slog.Default().
	Logger *slog.Logger
}

// Guard is a [fencing.Guard] over a table in PostgreSQL. Make one with [New]. All methods are safe
// for concurrent use. There is nothing to close but the pool.
type Guard struct {
	core *sqlfence.Core
	pool *pgxpool.Pool
}

var _ fencing.Checker = (*Guard)(nil)

// New returns a guard. It fails if cfg breaks a rule of [Config], and names every broken rule. It
// does not use the database.
func New(cfg Config) (*Guard, error) {
	var missing error
	if cfg.Pool == nil {
		missing = errors.New("pgxfence: Config.Pool is nil, must be set")
	}
	core, err := sqlfence.NewCore(client{session{cfg.Pool}, cfg.Pool}, sqlfence.Config{
		Table: cfg.Table, Scope: cfg.Scope, IdleLimit: cfg.IdleLimit, HoldLimit: cfg.HoldLimit,
		RequireDurable: cfg.RequireDurable, Logger: cfg.Logger,
	})
	if err := errors.Join(missing, err); err != nil {
		return nil, err
	}
	return &Guard{core: core, pool: cfg.Pool}, nil
}

// Announce announces t. If t is newer than the mark, Announce waits until the transactions of older
// terms have ended, and raises the mark. While it waits, no other transaction of an older term can
// start. See [fencing.Guard].
//
// Announce fails with [fencing.ErrUnavailable] if ctx ends first, or on a lock timeout of the
// database. Then the mark is unchanged and older terms go on. Announce also fails if the answer to
// the commit is lost. Then the mark may have been raised. If t is not newer, Announce does not
// wait.
func (g *Guard) Announce(ctx context.Context, t fencing.Token) error {
	return g.core.Announce(ctx, t)
}

// Check does what [Guard.Announce] does, except that it admits a zero token under
// [fencing.AllowUnfenced]. Check does not fence the write that follows it: a newer term may be
// admitted in between. To write, use [Guard.InTx], or [Guard.Verify] in your own transaction.
func (g *Guard) Check(ctx context.Context, t fencing.Token) error { return g.core.Check(ctx, t) }

// Mark returns the mark of a scope. See [fencing.Guard].
func (g *Guard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return g.core.Mark(ctx, scope)
}

// Schema returns the statement that creates the table of marks if it does not exist. It is that of
// sqlfence: both packages may write to one table. Run it once, as the owner of the schema. See
// "Rights" in the documentation of sqlfence.
func (g *Guard) Schema() string { return g.core.Schema() }

// Triggers returns statements that make the database itself refuse changes of a table by writers
// that do not carry the current token of scope. Run them in order, each on its own, as the owner of
// the table. See Guard.Triggers of sqlfence.
func (g *Guard) Triggers(table, scope string) ([]string, error) {
	return g.core.Triggers(table, scope)
}

// RowSet returns the assignments that keep t in a row, for statements that fence single rows
// without the lock of [Guard.InTx]. Such rows have two gaps that InTx does not have. See
// Guard.RowSet of sqlfence.
func (g *Guard) RowSet(t fencing.Token) (string, error) { return g.core.RowSet(t) }

// RowWhere returns the condition under which a row admits t. See Guard.RowWhere of sqlfence.
func (g *Guard) RowWhere(t fencing.Token, of ...string) (string, error) {
	return g.core.RowWhere(t, of...)
}

// RowChanged says what the result of a statement with [Guard.RowWhere] means. If rows were changed,
// it returns nil. If none was, it looks up the row with the condition in where, and its args. That
// condition must match one row at most. RowChanged returns
//   - fencing.ErrStale, if the row is of a newer term; ErrConflict, if it is of another term with
//     the same epoch;
//   - [ErrNoRow], if there is no row;
//   - fencing.ErrUnavailable, if the row now admits t: it has changed since the statement, so
//     retry.
//
// Call it in the transaction of the statement.
func (g *Guard) RowChanged(
	ctx context.Context, tx pgx.Tx, t fencing.Token, result pgconn.CommandTag,
	table, where string, args ...any,
) error {
	return fencing.Report(ctx,
		g.core.RowChanged(ctx, session{tx}, t, result.RowsAffected(), table, where, args...))
}

// Verify fences a transaction that the caller opened and will end. It must be the first statement
// of the transaction: at levels above READ COMMITTED, what was read before it may be older than the
// token. From then until the end of the transaction no newer term is admitted, as in [Guard.InTx].
// It takes one more round trip than InTx.
//
// On any error the caller must roll back. For a token newer than the mark, Verify returns
// [fencing.ErrUnavailable]: announce it first, with [Guard.Announce]. If the caller's commit
// returns an error, the transaction may have been written all the same. The caller has to find out.
func (g *Guard) Verify(ctx context.Context, tx pgx.Tx, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return g.core.Declare(ctx, session{tx})
	}
	return fencing.Report(ctx, g.core.Verify(ctx, session{tx}, t))
}

// beginning returns BEGIN with the words of opts.
func beginning(opts pgx.TxOptions) (string, error) {
	bad := func(field, value, rule string) (string, error) {
		return "", fmt.Errorf("pgxfence: TxOptions.%s is %q, must be %s", field, value, rule)
	}
	words := "BEGIN"
	switch opts.IsoLevel {
	case "":
	case pgx.ReadUncommitted, pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable:
		words += " ISOLATION LEVEL " + string(opts.IsoLevel)
	default:
		return bad("IsoLevel", string(opts.IsoLevel), "empty or one of pgx's levels")
	}
	switch opts.AccessMode {
	case "":
	case pgx.ReadWrite:
		words += " READ WRITE"
	default:
		return bad("AccessMode", string(opts.AccessMode), "empty or read write: the lock is a write")
	}
	switch {
	case opts.DeferrableMode != "":
		return bad("DeferrableMode", string(opts.DeferrableMode),
			"empty: it is for read-only transactions")
	case opts.BeginQuery != "":
		return bad("BeginQuery", opts.BeginQuery, "empty: the guard begins the transaction")
	case opts.CommitQuery != "":
		return bad("CommitQuery", opts.CommitQuery, "empty: the guard commits the transaction")
	}
	return words, nil
}
