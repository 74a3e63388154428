package sqlfence

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// The statements of each dialect. They carry validated literals and no arguments, because a driver may need more round
// trips for those.

// Schema returns the statement that makes the table of marks, if it is not there. Run it once, as whoever owns the
// schema. Writers need SELECT, INSERT and UPDATE on the table, no DELETE: a deleted mark is a lowered one.
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
	return "SELECT epoch, term" + g.of(scope)
}

func (g *Guard) of(scope string) string { return " FROM " + g.table + " WHERE scope = " + text(scope) }

// lockShared takes the shared lock and reads the mark, in one round trip. It must be the first statement of its
// transaction, so that no snapshot is older than the lock. On the way it tells the triggers of [Guard.Triggers] which token
// the transaction carries.
//
// PostgreSQL lets share locks of a row overtake a waiting exclusive one, so a busy old leader could keep its successor
// waiting for ever. Its advisory locks queue: the row is locked only once the shared one is there.
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
		token := text(t.String())
		l.read = g.peek(t.Scope) + g.postgresShared(t.Scope, token)
		l.ways = g.ways(t.Scope, strconv.FormatInt(t.Epoch, 10), text(t.Term), token)
	case MySQL: // MariaDB has no FOR SHARE
		l.read = g.peek(t.Scope) + " AND (@hotseat_token := " + text(t.String()) + ") IS NOT NULL LOCK IN SHARE MODE"
	case SQLite:
		l.read = "UPDATE " + g.table + " SET scope = scope WHERE scope = " + text(t.Scope) + " RETURNING epoch, term"
	}
	g.last.Store(l)
	return l
}

// lock are the statements that take a token's shared lock.
type lock struct {
	token fencing.Token
	read  string   // returns the mark
	ways  []string // PostgreSQL's, for Connector
}

// ways are statements to take the lock and see whether the mark is the token: they return a row if it is once the lock is there, and
// none otherwise. The first needs what the second prepares, for all tokens of a scope; the last needs nothing. The name says what is prepared, so
// that in a session that others use too it cannot be something else. They return none of the table's columns: PostgreSQL would refuse to execute
// what was prepared before the type of one changed.
func (g *Guard) ways(scope, epoch, term, token string) []string {
	is := func(epoch, term, token string) string {
		return "SELECT 1" + g.of(scope) + " AND epoch = " + epoch + " AND term = " + term + g.postgresShared(scope, token)
	}
	body := is("$1", "$2", "$3")
	digest := sha256.Sum256([]byte(body))
	name := fmt.Sprintf("hotseat_%x", digest[:16])
	execute := "EXECUTE " + name + " (" + epoch + ", " + term + ", " + token + ")"
	return []string{execute, "PREPARE " + name + " (bigint, bpchar, text) AS " + body + "; " + execute, is(epoch, term, token)}
}

// postgresShared are conditions, all true, and the lock.
func (g *Guard) postgresShared(scope, token string) string {
	settings := setting("hotseat.token", token)
	if g.idle > 0 {
		ms := (g.idle + time.Millisecond - 1) / time.Millisecond
		settings += setting("idle_in_transaction_session_timeout", text(strconv.FormatInt(int64(ms), 10)))
	}
	return settings + " AND pg_advisory_xact_lock_shared(" + g.advisory(scope) + ") IS NOT NULL FOR SHARE"
}

// setting is a condition that is always true, and sets something until the transaction ends.
func setting(name, value string) string {
	return " AND set_config(" + text(name) + ", " + value + ", true) IS NOT NULL"
}

// advisory is the number of PostgreSQL's advisory lock for a scope. Two scopes with one number wait for each other, no more.
func (g *Guard) advisory(scope string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("hotseat " + g.name + " " + scope))
	return strconv.FormatInt(int64(h.Sum64()), 10) //nolint:gosec // any 64 bits do
}

// lockExclusive are statements that wait for all shared locks.
func (g *Guard) lockExclusive(t fencing.Token) []string {
	switch g.speak {
	case PostgreSQL:
		return []string{"SELECT pg_advisory_xact_lock(" + g.advisory(t.Scope) + ")"}
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
	return g.insert(t) + " ON CONFLICT (scope) DO UPDATE SET scope = excluded.scope RETURNING epoch, term"
}

func (g *Guard) insert(t fencing.Token) string {
	return fmt.Sprintf("INSERT INTO %s (scope, epoch, term) VALUES (%s, %d, %s)", g.table, text(t.Scope), t.Epoch, text(t.Term))
}

func (g *Guard) update(t fencing.Token) string {
	return fmt.Sprintf("UPDATE %s SET epoch = %d, term = %s WHERE scope = %s", g.table, t.Epoch, text(t.Term), text(t.Scope))
}
