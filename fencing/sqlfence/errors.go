package sqlfence

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrCommitUnknown: the answer to a commit was lost, so the transaction may have happened. Do not
// simply run it again. Look for what it writes first, or make a repetition harmless (with a unique
// key or an idempotency key).
var ErrCommitUnknown = errors.New("sqlfence: commit outcome unknown")

// unavailable is the error for a failure of the database before anything was admitted.
func (g *marks) unavailable(doing string, err error) error {
	code := g.codeOf(err)
	switch {
	case isWiring(code):
		return &wiringError{table: g.name, doing: doing, err: err}
	case code == "database is locked":
		doing += ", which waited, until its busy timeout, for the one lock" +
			" that all writers of the database share, fenced or not"
	case code == "42P05" || code == "26000":
		doing += ": behind PgBouncer in transaction mode the driver must not prepare statements" +
			" (pgx: default_query_exec_mode=exec)"
	}
	return fmt.Errorf("%w: sqlfence: %s: %w", fencing.ErrUnavailable, doing, err)
}

// wiringError: the database answers, but a guard that is set up like this will never work there.
// Nothing was admitted, as with ErrUnavailable. As with a wrong scope, only a person can fix it.
type wiringError struct {
	table, doing string
	err          error
}

func (e *wiringError) Error() string {
	return fmt.Sprintf("sqlfence: wiring: table %s: %s: %v; Guard.Schema makes the table"+
		" (see Config.Table, and Rights in the package documentation)",
		e.table, e.doing, e.err)
}

func (e *wiringError) Is(target error) bool {
	return target == fencing.ErrWiring || target == fencing.ErrUnavailable
}

func (e *wiringError) Unwrap() error { return e.err }

var (
	mysqlError  = regexp.MustCompile(`\bError (\d{4})\b`)
	sqliteError = regexp.MustCompile(`no such table|no such column|file is not a database|` +
		`unable to open database file|attempt to write a readonly database|database is locked`)
)

// codeOf is the database's code of an error: PostgreSQL's SQLSTATE, MySQL's number, or a part of
// SQLite's text. It is "" if there is none.
func (g *marks) codeOf(err error) string {
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
	case 5: // syntax error or access violation (a missing table too); no schema or database; no user
		return slices.Contains([]string{"42", "3F", "3D", "28"}, code[:2]) && code != "42P05"
	case 4: // no table or column; no right to them; no database; no user; a syntax error
		codes := []string{"1146", "1054", "1142", "1143", "1044", "1049", "1045", "1064"}
		return slices.Contains(codes, code)
	default:
		return code != "" && code != "database is locked"
	}
}

// mayBeginAgain reports whether a beginning failed only because of others: a serialization failure,
// a deadlock, or a row that changed since.
func (g *marks) mayBeginAgain(err error) bool {
	if errors.Is(err, errNotTheMark) {
		return true
	}
	return slices.Contains([]string{"40001", "40P01", "1213", "1020"}, g.codeOf(err))
}

// sqlState is the SQLSTATE of PostgreSQL's error; "" if there is none.
func sqlState(err error) string {
	var told interface{ SQLState() string }
	if errors.As(err, &told) {
		return told.SQLState()
	}
	return ""
}

// commitError says what a failed commit means. Only PostgreSQL's drivers tell, by the SQLSTATE,
// which failures are a refusal. Any other commit may have happened.
func commitError(err error) error {
	if err == nil {
		return nil
	}
	if refusesCommit(sqlState(err)) {
		return fmt.Errorf("sqlfence: not committed: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrCommitUnknown, sent{err})
}

// sent is the error of a commit that may have happened. So it is not driver.ErrBadConn, which means
// that nothing was done.
type sent struct{ error }

func (s sent) Is(target error) bool {
	return target != driver.ErrBadConn && errors.Is(s.error, target)
}
func (s sent) As(target any) bool { return errors.As(s.error, target) }

// refusesCommit reports whether the state is of a constraint, of a serialization failure or a
// deadlock, or 25P02: a statement had failed before. It is false for 40003, "statement completion
// unknown".
func refusesCommit(state string) bool {
	return len(state) == 5 &&
		(state[:2] == "23" || state[:2] == "40" && state != "40003" || state == "25P02")
}
