package sqlfence_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// fullFake is a fake with all that Connector demands. What runs against a real
// server is in internal/guards.
type fullFake struct {
	*fake
	closed  int
	invalid bool
}

func (f *fullFake) Connect(context.Context) (driver.Conn, error) { return f, f.ask("CONNECT") }
func (f *fullFake) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, driver.ErrSkip
}
func (f *fullFake) CheckNamedValue(*driver.NamedValue) error { return nil }
func (f *fullFake) Ping(context.Context) error               { return f.ask("PING") }
func (f *fullFake) ResetSession(context.Context) error       { return nil }
func (f *fullFake) IsValid() bool                            { return !f.invalid }
func (f *fullFake) Close() error                             { f.closed++; return f.ask("CLOSE") }
func (f *fullFake) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), f.ask(q)
}

func over(t *testing.T, c driver.Connector) *sqlfence.Guard {
	t.Helper()
	db := sql.OpenDB(sqlfence.Connector(c))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	return g
}

func nothing(context.Context, *sql.Tx) error { return nil }

// TestConnectorRefuses a driver that it cannot stand in for.
func TestConnectorRefuses(t *testing.T) {
	f := &fake{}
	g := over(t, f)
	err := g.InTx(t.Context(), token(5), nil, nothing)
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, "*sqlfence_test.fake, which have no CheckNamedValue")

	err = over(t, nil).InTx(t.Context(), token(5), nil, nothing)
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, "the argument of Connector is nil")

	db := sql.OpenDB(sqlfence.Connector(f))
	require.NoError(t, db.Close(), "a connector need not be a Closer")
	full := &fullFake{fake: f}
	require.NoError(t, sql.OpenDB(sqlfence.Connector(full)).Close())
	require.Equal(t, 1, full.closed)
}

// TestConnectorDropsConnectionsInDoubt: of which it is not known that their transaction is over, or that the driver has given up.
func TestConnectorDropsConnectionsInDoubt(t *testing.T) {
	failed := errors.New("fn")
	for name, c := range map[string]struct {
		fail    string
		invalid bool
		fn      error
		want    int
	}{
		"all went well":                {"none", false, nil, 1},
		"fn failed":                    {"none", false, failed, 1},
		"the commit failed":            {"COMMIT", false, nil, 1},
		"the commit and the roll back": {"COMMIT, ROLLBACK", false, nil, 2},
		"the roll back failed":         {"ROLLBACK", false, failed, 2},
		"the driver says so":           {"none", true, nil, 2}, // by its Validator
	} {
		t.Run(name, func(t *testing.T) {
			f := &fullFake{fake: &fake{}, invalid: c.invalid}
			f.fail = func(s string) error {
				for part := range strings.SplitSeq(c.fail, ", ") {
					if strings.Contains(s, part) {
						return errors.New("broken")
					}
				}
				return nil
			}
			g := over(t, f)
			for range 2 {
				err := g.InTx(t.Context(), token(5), nil, func(context.Context, *sql.Tx) error { return c.fn })
				if c.fn == nil && c.fail == "none" {
					require.NoError(t, err)
				} else {
					require.Error(t, err)
					require.NotErrorIs(t, err, driver.ErrBadConn, "which would say that nothing was done")
				}
			}
			require.Len(t, f.said("CONNECT"), c.want)
		})
	}

	f := &fullFake{fake: &fake{fail: func(s string) error {
		if strings.HasPrefix(s, "BEGIN") || s == "ROLLBACK" {
			return errors.New("broken")
		}
		return nil
	}}}
	require.ErrorContains(t, over(t, f).InTx(t.Context(), token(5), nil, nothing), "broken")
	require.Len(t, f.said("BEGIN"), f.closed)

	f = &fullFake{fake: &fake{}}
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, over(t, f).InTx(ctx, token(5), nil, func(context.Context, *sql.Tx) error { cancel(); return nil }), context.Canceled)
	require.Eventually(t, func() bool { return len(f.said("CLOSE")) == 1 }, time.Minute, time.Millisecond)
	require.Empty(t, f.said("ROLLBACK"), "lib/pq would wait for a frozen server's answer")
}

// hooked runs hook with the context of Connect, as pgx's BeforeConnect does.
type hooked struct {
	*fake
	hook func(context.Context) error
}

func (h hooked) Connect(ctx context.Context) (driver.Conn, error) { return h.fake, h.hook(ctx) }

// TestConnectorOfAnotherPool: what a transaction there found, begun with InTx's context on the way to a connection, is no lock of InTx's.
func TestConnectorOfAnotherPool(t *testing.T) {
	other := sql.OpenDB(sqlfence.Connector(&fullFake{fake: &fake{}}))
	defer func() { _ = other.Close() }()
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		f := &fake{mark: []driver.Value{int64(6), term}}
		db := sql.OpenDB(hooked{f, func(ctx context.Context) error {
			tx, err := other.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return end(tx)
		}})
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
		require.NoError(t, err)
		require.ErrorIs(t, g.InTx(t.Context(), token(5), nil, nothing), fencing.ErrStale)
		require.NoError(t, db.Close())
	}
}

// TestConnectorPrepares what the session turns out not to have, whoever else uses that session.
func TestConnectorPrepares(t *testing.T) {
	const missing, duplicate, other = "26000", "42P05", "53400"
	execute, prepare, plain := "EXECUTE hotseat_", "PREPARE hotseat_", "SELECT 1 FROM"
	for _, c := range []struct {
		answers  []string // of the statements that begin a transaction; "" is success
		want     []string // what those do first
		rollback int
	}{
		{[]string{""}, []string{execute}, 0},
		{[]string{missing, ""}, []string{execute, prepare}, 1},
		{[]string{missing, duplicate, ""}, []string{execute, prepare, plain}, 2},
		{[]string{missing, duplicate, missing}, []string{execute, prepare, plain}, 3},
		{[]string{missing, other}, []string{execute, prepare}, 2},
		{[]string{other}, []string{execute}, 1},
	} {
		f := &fullFake{fake: &fake{}}
		answers := c.answers
		f.fail = func(s string) error {
			if !strings.HasPrefix(s, "BEGIN ISOLATION LEVEL REPEATABLE READ; ") {
				return nil
			}
			answer := answers[0]
			if answers = answers[1:]; answer != "" {
				return stateError(answer)
			}
			return nil
		}
		err := over(t, f).InTx(t.Context(), token(5), &sql.TxOptions{Isolation: sql.LevelSnapshot}, nothing)
		if state := c.answers[len(c.answers)-1]; state == "" {
			require.NoError(t, err)
			require.Len(t, f.said("COMMIT"), 1)
		} else {
			require.ErrorIs(t, err, stateError(state))
			require.ErrorIs(t, err, fencing.ErrUnavailable)
		}
		begun := f.said("BEGIN")
		require.Len(t, begun, len(c.want))
		for i, s := range begun {
			_, statement, _ := strings.Cut(s, "; ")
			require.True(t, strings.HasPrefix(statement, c.want[i]), s)
		}
		require.Len(t, f.said("ROLLBACK"), c.rollback)
		require.Len(t, f.said("CONNECT"), 1)
	}
}

// TestConnectorNamesWhatItPrepares by all that it says: guards, scopes and terms may share sessions.
func TestConnectorNamesWhatItPrepares(t *testing.T) {
	names := map[string]bool{}
	name := func(cfg sqlfence.Config, token fencing.Token) {
		f := &fullFake{fake: &fake{}}
		cfg.DB, cfg.Dialect = sql.OpenDB(sqlfence.Connector(f)), sqlfence.PostgreSQL
		g, err := sqlfence.New(cfg)
		require.NoError(t, err)
		require.NoError(t, g.InTx(t.Context(), token, nil, nothing))
		require.NoError(t, cfg.DB.Close())
		names[strings.Fields(f.said("BEGIN; EXECUTE")[0])[2]] = true
	}
	name(sqlfence.Config{}, token(5))
	name(sqlfence.Config{}, token(5))
	require.Len(t, names, 1)
	name(sqlfence.Config{}, token(6))
	name(sqlfence.Config{Table: "other"}, token(5))
	name(sqlfence.Config{IdleLimit: time.Second}, token(5))
	name(sqlfence.Config{}, fencing.Token{Scope: "shop/other", Epoch: 5, Term: term})
	require.Len(t, names, 5)
}

// TestConnectorPreparesOneTerm: the next one's takes its place, in the same message. Where that is
// not there any more, because a pooler gave the session to others, all goes on without.
func TestConnectorPreparesOneTerm(t *testing.T) {
	f := &fullFake{fake: &fake{}}
	g := over(t, f)
	begun := func(epoch int64) (all []string) {
		before := len(f.said("BEGIN"))
		require.NoError(t, g.InTx(t.Context(), token(epoch), nil, nothing))
		for _, s := range f.said("BEGIN")[before:] {
			_, statement, _ := strings.Cut(s, "; ")
			all = append(all, strings.Fields(statement)[0])
		}
		return all
	}
	require.Equal(t, []string{"EXECUTE"}, begun(5))
	require.Equal(t, []string{"EXECUTE"}, begun(5))
	require.Equal(t, []string{"DEALLOCATE"}, begun(6))
	require.Equal(t, []string{"EXECUTE"}, begun(6))
	require.NoError(t, g.InTx(t.Context(), fencing.Token{Scope: "shop/other", Epoch: 5, Term: term}, nil, nothing))
	require.Equal(t, []string{"EXECUTE"}, begun(6), "another scope is another one")

	f.fail = func(s string) error {
		if strings.Contains(s, "DEALLOCATE") {
			return stateError("26000")
		}
		return nil
	}
	require.Equal(t, []string{"DEALLOCATE", "SELECT"}, begun(7))
	require.Equal(t, []string{"EXECUTE"}, begun(7))
}

// TestConnectorAsksBeforeItCommits, where fn sent what may have failed unseen, or ended the transaction; and only there.
func TestConnectorAsksBeforeItCommits(t *testing.T) {
	for query, want := range map[string]string{
		"INSERT INTO t VALUES (1)": "COMMIT", "update t set sender = 1": "SELECT CASE count(*)", "COMMIT; BEGIN": "SELECT CASE count(*)",
		"rollback": "SELECT CASE count(*)", "/**/Abort": "SELECT CASE count(*)", "END": "SELECT CASE count(*)", "PREPARE TRANSACTION 'x'": "SELECT CASE count(*)",
		"e": "COMMIT", "": "COMMIT", "en": "COMMIT", "comm": "COMMIT",
	} {
		f := &fullFake{fake: &fake{}}
		require.NoError(t, over(t, f).InTx(t.Context(), token(5), nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		}))
		require.True(t, strings.HasPrefix(f.asked[len(f.asked)-1], want), query)
	}

	f := &fullFake{fake: &fake{mark: []driver.Value{int64(5), term}}}
	require.NoError(t, over(t, f).InTx(t.Context(), token(5), nil, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT 1") //nolint:sqlclosecheck,rowserrcheck // closed; of its errors fn says nothing
		require.NoError(t, err)
		return rows.Close()
	}))
	require.Len(t, f.said("SAVEPOINT hotseat_end; COMMIT"), 1)

	f = &fullFake{fake: &fake{}}
	db := sql.OpenDB(sqlfence.Connector(f))
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }()
	g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	require.NoError(t, conn.Raw(func(raw any) error { _ = raw.(interface{ Unwrap() driver.Conn }).Unwrap(); return nil }))
	require.NoError(t, conn.Close())
	require.NoError(t, g.InTx(t.Context(), token(5), nil, nothing))
	require.Len(t, f.said("SELECT CASE count(*)"), 1, "whoever has the driver's connection may send anything")
}
