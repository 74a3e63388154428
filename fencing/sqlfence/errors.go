package sqlfence

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrCommitUnknown: the answer to a commit got lost, so the transaction may have happened. Do not simply run it again:
// look for what it writes first, or make it such that twice is once (a unique key, an idempotency key).
var ErrCommitUnknown = errors.New("sqlfence: commit outcome unknown")

// unavailable is a failure of the database before anything was admitted.
func (g *Guard) unavailable(doing string, err error) error {
	code := g.codeOf(err)
	switch {
	case isWiring(code):
		return &wiringError{table: g.name, doing: doing, err: err}
	case code == "database is locked":
		doing += ", which waited for the one lock that all who write to the database share, fenced or not, for as long as its busy timeout lets it"
	case code == "42P05" || code == "26000":
		doing += ": behind PgBouncer in transaction mode the driver must prepare nothing (pgx: default_query_exec_mode=exec)"
	}
	return fmt.Errorf("%w: sqlfence: %s: %w", fencing.ErrUnavailable, doing, err)
}

// wiringError: the database answers, and a guard set up like this will never work there. Nothing was admitted, as with ErrUnavailable;
// and as with a wrong scope, only who set it up can mend it.
type wiringError struct {
	table, doing string
	err          error
}

func (e *wiringError) Error() string {
	return fmt.Sprintf("sqlfence: wiring: table %s: %s: %v; Guard.Schema makes the table (see Config.Table, and Rights in the package's documentation)",
		e.table, e.doing, e.err)
}

func (e *wiringError) Is(target error) bool {
	return target == fencing.ErrWiring || target == fencing.ErrUnavailable
}

func (e *wiringError) Unwrap() error { return e.err }

var (
	mysqlError  = regexp.MustCompile(`\bError (\d{4})\b`)
	sqliteError = regexp.MustCompile(`no such table|no such column|file is not a database|unable to open database file|attempt to write a readonly database|database is locked`)
)

// codeOf is what a database says of an error: PostgreSQL's SQLSTATE, MySQL's number, a part of SQLite's text; "" where it says nothing.
func (g *Guard) codeOf(err error) string {
	switch g.speak {
	case MySQL:
		if m := mysqlError.FindStringSubmatch(err.Error()); m != nil {
			return m[1]
		}
		return ""
	case SQLite:
		return sqliteError.FindString(err.Error())
	default:
		return sqlState(err)
	}
}

func isWiring(code string) bool {
	switch len(code) {
	case 5: // a syntax error or access rule violation, also a missing table; no such schema or database; no such user
		return slices.Contains([]string{"42", "3F", "3D", "28"}, code[:2]) && code != "42P05"
	case 4: // no table, no such column; no right to them; no database; no such user; a syntax error
		return slices.Contains([]string{"1146", "1054", "1142", "1143", "1044", "1049", "1045", "1064"}, code)
	default:
		return code != "" && code != "database is locked"
	}
}

// mayBeginAgain: what was begun failed only by what others did meanwhile: a serialization failure, a deadlock, a row changed since.
func (g *Guard) mayBeginAgain(err error) bool {
	return slices.Contains([]string{"40001", "40P01", "1213", "1020"}, g.codeOf(err))
}

// sqlState is what PostgreSQL says of an error, "" where it says nothing.
func sqlState(err error) string {
	var told interface{ SQLState() string }
	if errors.As(err, &told) {
		return told.SQLState()
	}
	return ""
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

// refusesCommit: constraints, and serialization failures and deadlocks, but not 40003, which is "statement completion unknown". And 25P02: a
// statement had failed before.
func refusesCommit(state string) bool {
	return len(state) == 5 && (state[:2] == "23" || strings.HasPrefix(state, "40") && state != "40003") || state == "25P02"
}
