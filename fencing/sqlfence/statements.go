package sqlfence

import (
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// The statements of each dialect. They carry validated literals and no arguments, because a driver may need more round
// trips for those.

// Schema returns the statement that makes the table of marks, if it is not there. Run it once, as whoever owns the
// schema. Who announces needs SELECT, INSERT and UPDATE on the table, who only writes SELECT; nobody DELETE: a deleted mark is a
// lowered one. See "Rights" in the package's documentation.
func (g *Guard) Schema() string {
	scope, options := "TEXT", ""
	switch g.speak {
	case PostgreSQL:
		scope = `TEXT COLLATE "C"`
	case MySQL: // the usual collations take two scopes that differ in case for one
		scope, options = "VARCHAR(317) CHARACTER SET ascii COLLATE ascii_bin", " ENGINE=InnoDB"
	case SQLite:
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\tscope %s NOT NULL PRIMARY KEY,\n\tepoch BIGINT NOT NULL CHECK (epoch >= 1),\n\tterm CHAR(32) NOT NULL\n)%s",
		g.table, scope, options)
}

// peek reads the mark without a lock.
func (g *Guard) peek(scope string) string {
	return "SELECT " + g.columns() + g.of(scope)
}

// columns are as text in PostgreSQL: there what a session has prepared fails once the type of what it returns has changed.
func (g *Guard) columns() string {
	if g.speak == PostgreSQL {
		return "epoch::text, term::text"
	}
	return "epoch, term"
}

func (g *Guard) of(scope string) string { return " FROM " + g.table + " WHERE scope = " + text(scope) }

// lock are the statements that take a token's shared lock.
type lock struct {
	token fencing.Token
	read  string // takes it and returns the mark, at any level of isolation

	// PostgreSQL's alone.
	fast  string // takes it at READ COMMITTED; the last statement finds one row if the mark is the token by then
	quiet *lock  // what Connector sends where no triggers are to be told of the token

	// Connector's, with BEGIN, at READ COMMITTED and above. The last statement finds one row if the
	// mark is the token. The first way needs what the second prepares, for the token (strict: for all
	// tokens of a scope); the third needs nothing.
	plain, strict  []string
	among, replace string // whose tokens plain's are among; what undoes the preparing of this one
	held           string // fails where the lock is gone
}

// lockShared takes the shared lock and reads the mark. It must be the first statement of its
// transaction, so that no snapshot is older than the lock. On the way it tells the triggers of [Guard.Triggers] which token
// the transaction carries.
//
// SQLite has one lock for all writers. A first statement that writes takes it and begins the snapshot, as BEGIN
// IMMEDIATE does, which database/sql has no word for.
//
// It is the same for all transactions of a term, so the latest is kept.
func (g *Guard) lockShared(t fencing.Token) *lock {
	if last := g.last.Load(); last != nil && last.token == t {
		return last
	}
	l := &lock{token: t}
	switch g.speak {
	case PostgreSQL:
		l = g.postgresLock(t)
	case MySQL: // MariaDB has no FOR SHARE
		l.read = g.peek(t.Scope) + " AND (@hotseat_token := " + text(t.String()) + ") IS NOT NULL LOCK IN SHARE MODE"
	case SQLite:
		l.read = "UPDATE " + g.table + " SET scope = scope WHERE scope = " + text(t.Scope) + " RETURNING epoch, term"
	}
	g.last.Store(l)
	return l
}

// lockExclusive are statements that wait for all shared locks.
func (g *Guard) lockExclusive(t fencing.Token) []string {
	switch g.speak {
	case PostgreSQL:
		return []string{g.postgresExclusive(t.Scope)}
	case MySQL:
		return []string{g.insert(t) + " ON DUPLICATE KEY UPDATE scope = scope"}
	default:
		return nil
	}
}

// readLocked reads the mark under the exclusive lock; where there was none, t is the mark.
func (g *Guard) readLocked(t fencing.Token) string {
	if g.speak == MySQL {
		return g.peek(t.Scope) + " FOR UPDATE"
	}
	return g.insert(t) + " ON CONFLICT (scope) DO UPDATE SET scope = excluded.scope RETURNING " + g.columns()
}

func (g *Guard) insert(t fencing.Token) string {
	return fmt.Sprintf("INSERT INTO %s (scope, epoch, term) VALUES (%s, %d, %s)", g.table, text(t.Scope), t.Epoch, text(t.Term))
}

func (g *Guard) update(t fencing.Token) string {
	return fmt.Sprintf("UPDATE %s SET epoch = %d, term = %s WHERE scope = %s", g.table, t.Epoch, text(t.Term), text(t.Scope))
}
