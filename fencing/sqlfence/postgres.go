package sqlfence

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// PostgreSQL's lock is an advisory one, of the table and the scope. Its locks of rows let shared ones overtake a waiting exclusive one, so a busy
// old leader could keep its successor waiting for ever; advisory ones queue.
//
// At READ COMMITTED each statement sees what was committed before it. So the mark is read by a statement of its own, behind the one that
// waits for the lock, and nothing else is needed: no lock of the row, which would cost a transaction id, a write, with many writers
// a new multixact each time, and the right to UPDATE. At stricter levels the statement that takes the lock fixes what all
// later ones see, and that may be older than the lock. There the row is locked too, which fails if it changed since.

// With many writers these two statements are what a guard costs. So they are kept cheap: what a session
// has prepared has no parameters but says its token, no columns, and asks for the level of isolation
// where the row is filtered, not by a plan node of its own, which a condition without a column would be.

// postgresLock are the statements for a token. Telling triggers of it is a quarter of what the others
// cost, so there are those that do not, for databases that have none.
func (g *Guard) postgresLock(t fencing.Token) *lock {
	token := text(t.String())
	l := g.postgresWays(t, token)
	l.quiet = g.postgresWays(t, "")
	l.read, l.held = g.peek(t.Scope)+g.take(t.Scope, token)+" FOR SHARE", g.held(t.Scope)
	return l
}

// postgresWays tell triggers of no token if it is empty.
func (g *Guard) postgresWays(t fencing.Token, token string) *lock {
	of := g.of(t.Scope)
	both := func(epoch, term, token string) string {
		return "SELECT 1" + of + " AND epoch = " + epoch + " AND term = " + term + g.take(t.Scope, token) + " FOR SHARE"
	}
	epoch, term := strconv.FormatInt(t.Epoch, 10), text(t.Term)
	in := prepared{t.String(), "", "SELECT WHERE NOT (true" + g.take(t.Scope, token) + ")"}
	is := prepared{t.String(), "", "SELECT" + of + " AND epoch = " + epoch + " AND term = " + term + " AND " +
		levelIsPlain("CASE WHEN epoch > 0 THEN 'transaction_isolation' END")}
	strictly, args := prepared{"", "(bigint, bpchar)", both("$1", "$2", "")}, []string{epoch, term}
	if token != "" {
		strictly, args = prepared{"", "(bigint, bpchar, text)", both("$1", "$2", "$3")}, append(args, token)
	}

	fast := in.body + "; " + is.body
	plain := in.execute() + "; " + is.execute()
	strict := strictly.execute(args...)
	return &lock{
		token:   t,
		fast:    fast,
		plain:   []string{plain, in.prepare() + is.prepare() + plain, fast},
		replace: in.deallocate() + is.deallocate(),
		among:   strictly.body,
		strict:  []string{strict, strictly.prepare() + strict, both(epoch, term, token)},
	}
}

// held fails if the open transaction does not hold the shared lock.
func (g *Guard) held(scope string) string {
	return "SELECT CASE count(*) WHEN 0 THEN (count(*) || ': fn has ended its transaction')::int END FROM pg_locks" +
		" WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = (" + g.advisory(scope) + ")"
}

// plainLevel is true where each statement sees what was committed before it.
func plainLevel() string { return levelIsPlain("'transaction_isolation'") }

func levelIsPlain(setting string) string {
	return "current_setting(" + setting + ") IN ('read committed', 'read uncommitted')"
}

// prepared is a statement that a session keeps. Its name says what it says, and whose token it is
// for, so that in a session that others use too it cannot be something else, and all of a token are
// there or none. It returns none of the table's columns: PostgreSQL would refuse to execute what was
// prepared before the type of one changed.
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

// take are conditions, all true, that tell triggers of the token, if there is one, set the limits, and take the shared lock.
func (g *Guard) take(scope, token string) string {
	s := ""
	if token != "" {
		s = setting("hotseat.token", token)
	}
	if g.idle > 0 {
		ms := milliseconds(g.idle)
		s += setting("idle_in_transaction_session_timeout", text(ms)) + setting("tcp_user_timeout", text(ms)) +
			fmt.Sprintf(" AND pg_advisory_xact_lock_shared(%d, %s) IS NOT NULL", consent, ms)
	}
	return s + " AND pg_advisory_xact_lock_shared(" + g.advisory(scope) + ") IS NOT NULL"
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// postgresExclusive takes the exclusive lock. One that stands still in the midst of an announcement does not hold it for long.
func (g *Guard) postgresExclusive(scope string) string {
	return "SELECT " + committed + " WHERE true" + setting("idle_in_transaction_session_timeout", text(milliseconds(patience))) +
		" AND pg_advisory_xact_lock(" + g.advisory(scope) + ") IS NOT NULL"
}

// setting is a condition that is always true, and sets something until the transaction ends.
func setting(name, value string) string {
	return " AND set_config(" + text(name) + ", " + value + ", true) IS NOT NULL"
}

// advisory is the number of the lock for a scope. It is of the table itself, by whatever name a guard knows that. Two scopes with one
// number wait for each other, no more.
func (g *Guard) advisory(scope string) string { return advisory(text(g.table)+"::regclass", scope) }

func advisory(table, scope string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("hotseat " + scope))
	return fmt.Sprintf("'%d'::bigint # (%s::oid::bigint << 32)", int64(h.Sum64()), table) //nolint:gosec // any 64 bits do
}

// committed makes what commits behind it last: it takes the least that a mark needs for the transaction, if that has less.
const committed = "CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', true) END"

// proof commits something, and nothing else. No right is needed for it.
const proof = "SELECT " + committed + ", pg_logical_emit_message(true, 'hotseat', '')"

// isStrict: the level's statements all see what the first one did. Of the default it is asked when it matters.
func isStrict(level sql.IsolationLevel) bool {
	return level == sql.LevelRepeatableRead || level == sql.LevelSnapshot || level == sql.LevelSerializable
}
