package sqlfence

import (
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// The statements of each dialect. They contain validated literals and have no arguments, because a
// driver may need more round trips for arguments.

// Schema returns the statement that creates the table of marks if it does not exist. Run it once,
// as the owner of the schema. A role that announces needs SELECT, INSERT and UPDATE on the table. A
// role that only writes needs SELECT. No role needs DELETE: a deleted mark is a lowered mark. See
// "Rights" in the package documentation.
func (g *marks) Schema() string {
	scope, options := "TEXT", ""
	switch g.speak {
	case PostgreSQL:
		scope = `TEXT COLLATE "C"`
	case MySQL: // with the usual collations, two scopes that differ only in case are equal
		scope, options = "VARCHAR(317) CHARACTER SET ascii COLLATE ascii_bin", " ENGINE=InnoDB"
	case SQLite:
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\tscope %s NOT NULL PRIMARY KEY,"+
		"\n\tepoch BIGINT NOT NULL CHECK (epoch >= 1),\n\tterm CHAR(32) NOT NULL\n)%s",
		g.table, scope, options)
}

// peek reads the mark without a lock.
func (g *marks) peek(scope string) string {
	return "SELECT " + g.columns() + g.of(scope)
}

// columns are text in PostgreSQL: there, a prepared statement fails once the type of a returned
// column has changed.
func (g *marks) columns() string {
	if g.speak == PostgreSQL {
		return "epoch::text, term::text"
	}
	return "epoch, term"
}

func (g *marks) of(scope string) string {
	return " FROM " + g.table + " WHERE scope = " + text(scope)
}

// lock has the statements that take a token's shared lock.
type lock struct {
	token fencing.Token
	read  string // takes it and returns the mark, at any level of isolation

	// Only for PostgreSQL.
	fast  string // takes it at READ COMMITTED; the last statement finds a row if the token is the mark
	quiet *lock  // Connector sends it if there are no triggers to pass the token to

	// Only for Connector, which sends them with BEGIN, at READ COMMITTED and above. The last statement
	// finds one row if the token is the mark. The first way needs what the second prepares, for the
	// token (strict: for all tokens of a scope). The third needs nothing.
	plain, strict  []string
	among, replace string // the key of plain's kind; deallocates what plain prepared
	held           string // fails if the lock is gone
}

// lockShared takes the shared lock and reads the mark. It must be the first statement of its
// transaction, so that no snapshot is older than the lock. It also passes the transaction's token
// to the triggers of [Guard.Triggers].
//
// SQLite has one lock for all writers. If the first statement writes, it takes the lock and begins
// the snapshot. BEGIN IMMEDIATE would do the same, but database/sql cannot send it.
//
// The lock is the same for all transactions of a term, so the latest is kept.
func (g *marks) lockShared(t fencing.Token) *lock {
	if last := g.last.Load(); last != nil && last.token == t {
		return last
	}
	l := &lock{token: t}
	switch g.speak {
	case PostgreSQL:
		l = g.postgresLock(t)
	case MySQL: // MariaDB has no FOR SHARE
		l.read = g.peek(t.Scope) +
			" AND (@hotseat_token := " + text(t.String()) + ") IS NOT NULL LOCK IN SHARE MODE"
	case SQLite:
		l.read = "UPDATE " + g.table + " SET scope = scope WHERE scope = " + text(t.Scope) +
			" RETURNING epoch, term"
	}
	g.last.Store(l)
	return l
}

// lockExclusive returns statements that wait for all shared locks.
func (g *marks) lockExclusive(t fencing.Token) []string {
	switch g.speak {
	case PostgreSQL:
		return []string{g.postgresExclusive(t.Scope)}
	case MySQL:
		return []string{g.insert(t) + " ON DUPLICATE KEY UPDATE scope = scope"}
	default:
		return nil
	}
}

// readLocked reads the mark under the exclusive lock. If there was no mark, t becomes the mark.
func (g *marks) readLocked(t fencing.Token) string {
	if g.speak == MySQL {
		return g.peek(t.Scope) + " FOR UPDATE"
	}
	return g.insert(t) +
		" ON CONFLICT (scope) DO UPDATE SET scope = excluded.scope RETURNING " + g.columns()
}

func (g *marks) insert(t fencing.Token) string {
	return fmt.Sprintf("INSERT INTO %s (scope, epoch, term) VALUES (%s, %d, %s)",
		g.table, text(t.Scope), t.Epoch, text(t.Term))
}

func (g *marks) update(t fencing.Token) string {
	return fmt.Sprintf("UPDATE %s SET epoch = %d, term = %s WHERE scope = %s",
		g.table, t.Epoch, text(t.Term), text(t.Scope))
}
