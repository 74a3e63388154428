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
	// DB is the database that holds what is written. It must be the primary: a replica's mark is an old one. With PostgreSQL,
	// connections of [Connector] make it faster. Required.
	DB *sql.DB

	// Dialect is what DB speaks: [PostgreSQL], [MySQL] or [SQLite]. Required.
	Dialect Dialect

	// Table holds the marks: name, or schema.name, of ASCII letters, digits and _, at most 63 each and not beginning with a digit. The
	// default is hotseat_fence. It must be in the same database as what is written, so that one transaction covers both. Name the schema
	// where search_path has several: what a session has prepared ([Connector], and drivers too) keeps to the table that it found, when another of
	// the name is created in front.
	Table string

	// Scope binds the guard to one scope, [fencing.Scope] of the Lease as in shop/invoicer: others are refused with fencing.ErrScope.
	// Empty takes any, with a mark for each; then the token of another Lease is as good as the first.
	Scope string

	// IdleLimit bounds how long a client that stands still, a frozen replica say, may hold up its successor in a transaction of
	// [Guard.InTx] or [Guard.Verify]: between its statements, in the midst of a result that it does not read on, or of a COPY of which it sends no
	// more. Otherwise it does until the server's own limits end its transaction, if there are some. Rounded up to
	// milliseconds in PostgreSQL, to seconds in MariaDB, where it is for InTx only. Not in SQLite and MySQL, an error in the
	// first. See "Limits of time" in the package's documentation. Zero leaves it to the server; negative is an error.
	IdleLimit time.Duration

	// HoldLimit makes [Guard.Announce] end the sessions of older terms' transactions which it has waited for this long, whatever they
	// do: also a long statement. It ends those of its own database user (pg_terminate_backend, KILL), and needs a second connection of
	// DB for it, in MariaDB also the PROCESS privilege. Not in SQLite, an error there, and not in MySQL. Zero is never, negative is an error.
	HoldLimit time.Duration

	// RequireDurable refuses to announce where the database is set up so that a crash may lose a mark: see "What lasts" in the package's
	// documentation. Otherwise Logger gets a warning.
	RequireDurable bool

	// Logger is told, at the first announcement, where a crash may lose a mark, and which sessions HoldLimit and IdleLimit ended. Nil: slog.Default().
	Logger *slog.Logger
}

// Dialect is what a database speaks.
type Dialect int

const (
	// PostgreSQL: tested on 15, with pgx; with [Connector], with lib/pq too. Behind
	// PgBouncer in transaction mode pgx needs default_query_exec_mode=exec, as it does without guards.
	PostgreSQL Dialect = iota + 1
	// MySQL and MariaDB with InnoDB: tested on MariaDB 10.11, with go-sql-driver/mysql. On MySQL itself nothing was run: it
	// documents the same statements, and deprecates two things in them, assigning a user variable in an expression and, in triggers, the
	// operator BINARY.
	MySQL
	// SQLite 3.35 or later: tested with modernc.org/sqlite. Its transactions that write exclude each other, fenced or not.
	// Set a busy timeout, or they fail instead of waiting.
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

// Guard is a [fencing.Guard] over a table. Make one with [New]; all methods are safe for concurrent use.
type Guard struct {
	db    *sql.DB
	speak Dialect
	table string // quoted
	name  string // as configured
	scope string // "" takes any
	limits
	log  *slog.Logger
	last atomic.Pointer[lock] // what most transactions begin with

	triggered atomic.Bool // Triggers was called
	proven    sync.Map    // from a scope to the mark that is known to last
}

// limits are what a configuration demands.
type limits struct {
	idle, hold time.Duration
	durable    bool
	inspected  atomic.Bool // whether the database's settings were looked at
}

var _ fencing.Checker = (*Guard)(nil)

// New returns a guard. It fails for what [Config] forbids and names all of it. It does not touch the database.
func New(cfg Config) (*Guard, error) {
	g := &Guard{db: cfg.DB, speak: cfg.Dialect, name: cmp.Or(cfg.Table, "hotseat_fence"), scope: cfg.Scope, log: cfg.Logger}
	g.idle, g.hold, g.durable = cfg.IdleLimit, cfg.HoldLimit, cfg.RequireDurable
	if g.log == nil {
		g.log = slog.Default()
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("sqlfence: "+format, args...)) }
	if cfg.DB == nil {
		bad("Config.DB is nil, must be set")
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
	for name, limit := range map[string]time.Duration{"IdleLimit": cfg.IdleLimit, "HoldLimit": cfg.HoldLimit} {
		switch {
		case limit < 0:
			bad("Config.%s is %v, must not be negative", name, limit)
		case limit > 0 && cfg.Dialect == SQLite:
			bad("Config.%s is %v, and %v knows no such limit", name, limit, cfg.Dialect)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return g, nil
}

// quote returns name, or schema.name, so that it is one identifier whatever words the database reserves.
func (d Dialect) quote(name string) (string, error) {
	if !regexp.MustCompile(`^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$`).MatchString(name) {
		return "", fmt.Errorf("name is %.140q, must be one or two words with a dot between, of 1 to 63 letters, digits and _, not beginning with a digit", name)
	}
	q := `"`
	if d == MySQL {
		q = "`"
	}
	return q + strings.ReplaceAll(name, ".", q+"."+q) + q, nil
}

// text returns s as a literal. No text of a token has a backslash, so this is the same in all dialects and modes.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
