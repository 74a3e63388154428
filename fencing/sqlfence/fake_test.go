package sqlfence_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"testing"
)

// fake is a database of which only the failures count: it answers every query
// with one mark, fails where it is told to, and notes what it was asked. What a
// real one does is tested in internal/guards.
type fake struct {
	mark []driver.Value // the row of each query; nil: none
	fail func(statement string) error

	mu    sync.Mutex
	asked []string
}

func (f *fake) db(t *testing.T) *sql.DB {
	db := sql.OpenDB(f)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (f *fake) ask(statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, statement)
	if f.fail == nil {
		return nil
	}
	return f.fail(statement)
}

// said returns the statements that begin with one of these words.
func (f *fake) said(words ...string) (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.asked {
		for _, w := range words {
			if strings.HasPrefix(s, w) {
				all = append(all, s)
			}
		}
	}
	return all
}

func (f *fake) Connect(context.Context) (driver.Conn, error) { return f, f.ask("CONNECT") }
func (f *fake) Driver() driver.Driver                        { return nil }
func (f *fake) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (f *fake) Close() error                                 { return nil }
func (f *fake) Begin() (driver.Tx, error)                    { return f, f.ask("BEGIN") }
func (f *fake) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return f.Begin()
}
func (f *fake) Commit() error   { return f.ask("COMMIT") }
func (f *fake) Rollback() error { return f.ask("ROLLBACK") }

func (f *fake) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(0), f.ask(q)
}

func (f *fake) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	if err := f.ask(q); err != nil {
		return nil, err
	}
	if strings.HasPrefix(q, "SELECT current_setting('transaction_isolation')") {
		return &rows{[]string{"plain"}, []driver.Value{true}}, nil
	}
	return &rows{[]string{"epoch", "term"}, f.mark}, nil
}

type rows struct {
	columns []string
	row     []driver.Value
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }
func (r *rows) Next(into []driver.Value) error {
	if r.row == nil {
		return io.EOF
	}
	copy(into, r.row)
	r.row = nil
	return nil
}
