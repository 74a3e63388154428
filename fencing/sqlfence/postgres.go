package sqlfence

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// In PostgreSQL the lock is an advisory lock of the table and the scope. Shared row locks may
// overtake a waiting exclusive one, so a busy old term could keep its successor waiting for ever.
// Advisory locks queue.
//
// At READ COMMITTED each statement sees what was committed before it. So a separate statement reads
// the mark, after the one that waits for the lock. Nothing else is needed. A lock of the row would
// cost a transaction id, a write, the right to UPDATE and, with many writers, a new multixact each
// time.
//
// At stricter levels, the statement that takes the lock fixes what all later statements see, and
// that may be older than the lock. There the row is locked too, which fails if it changed since.

// With many writers these two statements are what a guard costs. So they are cheap. A prepared
// statement contains its token instead of parameters, and returns no columns. It checks the
// isolation level where the row is filtered: a condition without a column would be a plan node of
// its own.

// postgresLock returns the statements for a token. Passing the token to triggers adds a quarter to
// the cost. So there are also statements that do not pass it, for databases without triggers.
func (g *marks) postgresLock(t fencing.Token) *lock {
	token := text(t.String())
	l := g.postgresWays(t, token)
	l.quiet = g.postgresWays(t, "")
	l.read = g.peek(t.Scope) + g.take(t.Scope, token) + " FOR SHARE"
	l.held = g.held(t.Scope)
	return l
}

// postgresWays returns statements that pass token to triggers. If token is empty, they pass none.
func (g *marks) postgresWays(t fencing.Token, token string) *lock {
	of := g.of(t.Scope)
	both := func(epoch, term, token string) string {
		return "SELECT 1" + of + " AND epoch = " + epoch + " AND term = " + term +
			g.take(t.Scope, token) + " FOR SHARE"
	}
	epoch, term := strconv.FormatInt(t.Epoch, 10), text(t.Term)
	in := prepared{t.String(), "", "SELECT WHERE NOT (true" + g.take(t.Scope, token) + ")"}
	is := prepared{t.String(), "", "SELECT" + of +
		" AND epoch = " + epoch + " AND term = " + term + " AND " +
		levelIsPlain("CASE WHEN epoch > 0 THEN 'transaction_isolation' END")}
	strictly, args := prepared{"", "(bigint, bpchar)", both("$1", "$2", "")}, []string{epoch, term}
	if token != "" {
		strictly = prepared{"", "(bigint, bpchar, text)", both("$1", "$2", "$3")}
		args = append(args, token)
	}

	fast := in.body + "; " + is.body
	unprepared, bothNow := fast, both(epoch, term, token)
	if g.raises {
		bothNow = raising(bothNow)
		is.body = "SELECT WHERE CASE WHEN EXISTS (" + is.body + ") THEN false ELSE " +
			fails("pg_backend_pid()") + " IS NULL END"
		strictly.body = raising(strictly.body)
		unprepared = in.body + "; " + is.body
	}
	plain := in.execute() + "; " + is.execute()
	strict := strictly.execute(args...)
	return &lock{
		token:   t,
		fast:    fast,
		plain:   []string{plain, in.prepare() + is.prepare() + plain, unprepared},
		replace: in.deallocate() + is.deallocate(),
		among:   strictly.body,
		strict:  []string{strict, strictly.prepare() + strict, bothNow},
	}
}

// raising returns a statement that fails with notTheMark if the query finds no row. EXISTS would
// cost less, and is not for queries that lock.
func raising(query string) string {
	return "SELECT CASE count(*) WHEN 0 THEN " + fails("count(*)") + " END" +
		" FROM (" + query + ") AS hotseat_mark"
}

// fails is an expression that fails with notTheMark. It contains one that is not known when the
// statement is planned, or planning would fail.
func fails(unknown string) string {
	return "(" + unknown + " || ': the token is not the mark')::int"
}

// notTheMark is the SQLSTATE for text that is no number.
const notTheMark = "22P02"

// held fails if the open transaction does not hold the shared lock.
func (g *marks) held(scope string) string {
	return "SELECT CASE count(*) WHEN 0 THEN (count(*) || ': fn has ended its transaction')::int END" +
		" FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid = 1" +
		" AND (classid::bigint << 32 | objid::bigint) = (" + g.advisory(scope) + ")"
}

// plainLevel is true where each statement sees what was committed before it.
func plainLevel() string { return levelIsPlain("'transaction_isolation'") }

// isPlain asks for the level of the open transaction, or of the next one if none is open.
func isPlain(ctx context.Context, s Session) (bool, error) {
	answer, err := one(ctx, s, "SELECT "+plainLevel())
	return answer == "true" || answer == "t", err
}

func levelIsPlain(setting string) string {
	return "current_setting(" + setting + ") IN ('read committed', 'read uncommitted')"
}

// prepared is a statement that a session keeps. Its name is a digest of its text and of the token.
// So in a session that others use too, the name cannot stand for another statement, and either all
// statements of a token are there or none. The statement returns no column of the table: PostgreSQL
// would refuse to execute a statement prepared before a column's type changed.
type prepared struct{ token, types, body string }

func (p prepared) name() string {
	digest := sha256.Sum256([]byte(p.token + p.body))
	return fmt.Sprintf("hotseat_%x", digest[:16])
}

func (p prepared) prepare() string {
	return "PREPARE " + p.name() + p.types + " AS " + p.body + "; "
}

func (p prepared) deallocate() string { return "DEALLOCATE " + p.name() + "; " }

func (p prepared) execute(args ...string) string {
	if len(args) == 0 {
		return "EXECUTE " + p.name()
	}
	return "EXECUTE " + p.name() + " (" + strings.Join(args, ", ") + ")"
}

// take returns conditions that are always true. They pass the token, if any, to triggers, set the
// limits, and take the shared lock.
func (g *marks) take(scope, token string) string {
	s := ""
	if token != "" {
		s = setting("hotseat.token", token)
	}
	if g.idle > 0 {
		ms := milliseconds(g.idle)
		s += setting("idle_in_transaction_session_timeout", text(ms)) +
			setting("tcp_user_timeout", text(ms)) +
			fmt.Sprintf(" AND pg_advisory_xact_lock_shared(%d, %s) IS NOT NULL", consent, ms)
	}
	return s + " AND pg_advisory_xact_lock_shared(" + g.advisory(scope) + ") IS NOT NULL"
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// postgresExclusive takes the exclusive lock. A process that stands still in the middle of an
// announcement does not hold it for long.
func (g *marks) postgresExclusive(scope string) string {
	return "SELECT " + committed + " WHERE true" +
		setting("idle_in_transaction_session_timeout", text(milliseconds(patience))) +
		" AND pg_advisory_xact_lock(" + g.advisory(scope) + ") IS NOT NULL"
}

// setting returns a condition that is always true, and that sets something until the transaction
// ends.
func setting(name, value string) string {
	return " AND set_config(" + text(name) + ", " + value + ", true) IS NOT NULL"
}

// advisory is the number of the lock for a scope. It depends on the table itself, not on the name
// by which a guard knows the table. If two scopes have the same number, they wait for each other;
// nothing worse happens.
func (g *marks) advisory(scope string) string { return advisory(text(g.table)+"::regclass", scope) }

func advisory(table, scope string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("hotseat " + scope))
	//nolint:gosec // any 64 bits do
	return fmt.Sprintf("'%d'::bigint # (%s::oid::bigint << 32)", int64(h.Sum64()), table)
}

// committed makes the commit of its transaction last: it turns synchronous_commit on if that is off
// or local.
const committed = "CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')" +
	" THEN set_config('synchronous_commit', 'on', true) END"

// proof commits something, and does nothing else. It needs no right.
const proof = "SELECT " + committed + ", pg_logical_emit_message(true, 'hotseat', '')"

// isStrict reports whether all statements of a transaction see what the first one saw. The default
// level counts as not strict; it is checked where that matters.
func isStrict(level sql.IsolationLevel) bool {
	return level == sql.LevelRepeatableRead || level == sql.LevelSnapshot ||
		level == sql.LevelSerializable
}
