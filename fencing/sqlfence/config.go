package sqlfence

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Config configures a [Guard].
type Config struct {
	// DB is the database that is written to. It must be the primary: the mark on a replica is an old
	// one. With PostgreSQL, connections of [Connector] are faster. Required.
	DB *sql.DB

	// Dialect is what DB speaks: [PostgreSQL], [MySQL] or [SQLite]. Required.
	Dialect Dialect

	// Table holds the marks. It is name or schema.name. Each part consists of ASCII letters, digits
	// and _, has at most 63 characters, and does not begin with a digit. Default: hotseat_fence. The
	// table must be in the database that is written to, so that one transaction covers both.
	//
	// If search_path has several schemas, qualify the name. [Connector] and drivers prepare
	// statements, and a prepared statement keeps the table that it found. It does so even if a table
	// of the same name is created later, in a schema that comes earlier in the path.
	Table string

	// Scope binds the guard to one scope, which is [fencing.Scope] of the Lease, such as
	// shop/invoicer. The guard refuses other scopes with fencing.ErrScope. If Scope is empty, the
	// guard accepts any scope, and keeps a mark for each. Then a token of any other Lease is accepted
	// too.
	Scope string

	// IdleLimit is for a client, such as a frozen replica, that stands still in a transaction of
	// [Guard.InTx] or [Guard.Verify]. It bounds how long that client may hold up its successor. The
	// client may stand still between statements, in a result that it does not finish reading, or in a
	// COPY that it does not finish sending. Without IdleLimit, the transaction lasts until the
	// server's own limits end it, if the server has some.
	//   - PostgreSQL: rounded up to milliseconds.
	//   - MariaDB: rounded up to seconds, and for InTx only.
	//   - MySQL: like MariaDB, but without effect between statements.
	//   - SQLite: an error.
	//
	// See "Limits of time" in the package documentation. Zero leaves it to the server; negative is an
	// error.
	IdleLimit time.Duration

	// HoldLimit is how long [Guard.Announce] waits for the transactions of older terms. Then Announce
	// ends their sessions, even in the middle of a long statement. Announce can end only sessions of
	// its own database user (pg_terminate_backend, KILL). It needs a second connection of DB for that,
	// and in MariaDB the PROCESS privilege. HoldLimit has no effect in MySQL, and is an error in
	// SQLite. Zero means no limit; negative is an error.
	HoldLimit time.Duration

	// RequireDurable refuses announcements if the settings of the database allow a crash to lose a
	// mark. See "What lasts" in the package documentation. Without it, Logger gets a warning.
	RequireDurable bool

	// Logger gets a warning at the first announcement if a crash may lose a mark, and one for each
	// session that was ended because of HoldLimit or IdleLimit. Nil means slog.Default().
	Logger *slog.Logger
}

// Dialect is what a database speaks.
type Dialect int

const (
	// PostgreSQL. Tested on 15, with pgx; [Connector] was tested with lib/pq too. Behind PgBouncer in
	// transaction mode, pgx needs default_query_exec_mode=exec, as it does without guards.
	PostgreSQL Dialect = iota + 1
	// MySQL and MariaDB, with InnoDB. Tested on MariaDB 10.11, with go-sql-driver/mysql. Nothing was
	// run on MySQL itself. MySQL documents the same statements, but deprecates two things in them:
	// assigning a user variable in an expression, and the operator BINARY in triggers.
	MySQL
	// SQLite 3.35 or later. Tested with modernc.org/sqlite. Transactions that write exclude each
	// other, fenced or not. Set a busy timeout, or they fail instead of waiting.
	SQLite
)

// String returns the name.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	default:
		return fmt.Sprintf("Dialect(%d)", int(d))
	}
}

// Guard is a [fencing.Guard] over a table. Make one with [New]. All methods are safe for concurrent
// use.
type Guard struct {
	marks
	db *sql.DB
}

// marks is a guard without its transactions. It does not care by what client the database is
// reached.
type marks struct {
	client Client
	speak  Dialect
	place
	limits
	log  *slog.Logger
	last atomic.Pointer[lock] // most transactions begin with it

	raises    bool        // what begins a transaction fails if the token is not the mark
	triggered atomic.Bool // Triggers was called
	proven    sync.Map    // from a scope to its mark that is known to last
}

// place is where the marks are.
type place struct {
	table string // quoted
	name  string // as configured
	scope string // "" takes any
}

// limits are what the configuration demands.
type limits struct {
	idle, hold time.Duration
	durable    bool
	inspected  atomic.Bool // whether the database's settings were looked at
}

var _ fencing.Checker = (*Guard)(nil)

// New returns a guard. It fails if cfg breaks a rule of [Config], and names every broken rule. It
// does not use the database.
func New(cfg Config) (*Guard, error) {
	g := &Guard{db: cfg.DB}
	var missing error
	if cfg.DB == nil {
		missing = errors.New("sqlfence: Config.DB is nil, must be set")
	}
	if err := errors.Join(missing, g.configure(cfg)); err != nil {
		return nil, err
	}
	g.client = database{cfg.DB, cfg.Dialect}
	return g, nil
}

// configure takes everything from cfg but the database.
func (g *marks) configure(cfg Config) error {
	g.speak, g.log = cfg.Dialect, cmp.Or(cfg.Logger, slog.Default())
	g.name, g.scope = cmp.Or(cfg.Table, "hotseat_fence"), cfg.Scope
	g.idle, g.hold, g.durable = cfg.IdleLimit, cfg.HoldLimit, cfg.RequireDurable
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sqlfence: "+format, args...))
	}
	if cfg.Dialect < PostgreSQL || cfg.Dialect > SQLite {
		bad("Config.Dialect is %v, must be PostgreSQL, MySQL or SQLite", cfg.Dialect)
	}
	var err error
	if g.table, err = cfg.Dialect.quote(g.name); err != nil {
		bad("Config.Table: %w", err)
	}
	if cfg.Scope != "" {
		if err := fencing.ValidateScope(cfg.Scope); err != nil {
			bad("Config.Scope: %w", err)
		}
	}
	for name, limit := range map[string]time.Duration{
		"IdleLimit": cfg.IdleLimit, "HoldLimit": cfg.HoldLimit,
	} {
		switch {
		case limit < 0:
			bad("Config.%s is %v, must not be negative", name, limit)
		case limit > 0 && cfg.Dialect == SQLite:
			bad("Config.%s is %v, but %v has no such limit", name, limit, cfg.Dialect)
		}
	}
	return errors.Join(errs...)
}

// quote returns name, or schema.name, quoted: it is an identifier whatever words the database
// reserves.
func (d Dialect) quote(name string) (string, error) {
	if !regexp.MustCompile(`^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$`).MatchString(name) {
		return "", fmt.Errorf("name is %.140q, must be one or two words with a dot between,"+
			" of 1 to 63 letters, digits and _, not beginning with a digit", name)
	}
	q := `"`
	if d == MySQL {
		q = "`"
	}
	return q + strings.ReplaceAll(name, ".", q+"."+q) + q, nil
}

// text returns s as a literal. No text of a token has a backslash, so the literal is the same in
// all dialects and modes.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
