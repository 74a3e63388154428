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

const term = "9f86d081884c7d659a2feaa0c55ad015"

func token(epoch int64) fencing.Token {
	return fencing.Token{Scope: "shop/invoicer", Epoch: epoch, Term: term}
}

func guard(t *testing.T, f *fake, dialect sqlfence.Dialect) *sqlfence.Guard {
	t.Helper()
	g, err := sqlfence.New(sqlfence.Config{DB: f.db(t), Dialect: dialect, Scope: "shop/invoicer"})
	require.NoError(t, err)
	return g
}

func TestConfig(t *testing.T) {
	db := (&fake{}).db(t)
	for name, tt := range map[string]struct {
		cfg  sqlfence.Config
		want []string
	}{
		"nothing":         {sqlfence.Config{}, []string{"Config.DB is nil", "Config.Dialect is Dialect(0)"}},
		"unknown dialect": {sqlfence.Config{DB: db, Dialect: 4}, []string{"Dialect(4)"}},
		"table":           {sqlfence.Config{DB: db, Dialect: sqlfence.MySQL, Table: "a;b"}, []string{`Config.Table: name is "a;b"`}},
		"scope":           {sqlfence.Config{DB: db, Dialect: sqlfence.SQLite, Scope: "a b"}, []string{"Config.Scope", `"a b"`}},
		"negative limit":  {sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL, IdleLimit: -1}, []string{"Config.IdleLimit is -1ns"}},
		"hold limit":      {sqlfence.Config{DB: db, Dialect: sqlfence.MySQL, HoldLimit: -1}, []string{"Config.HoldLimit is -1ns"}},
		"limit elsewhere": {
			sqlfence.Config{DB: db, Dialect: sqlfence.SQLite, IdleLimit: time.Second, HoldLimit: 1},
			[]string{"Config.IdleLimit is 1s, but SQLite", "Config.HoldLimit is 1ns, but SQLite"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := sqlfence.New(tt.cfg)
			require.Nil(t, g)
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestNamesAreQuoted(t *testing.T) {
	db := (&fake{}).db(t)
	for table, want := range map[string]string{"": `"hotseat_fence"`, "user": `"user"`, "Billing.select": `"Billing"."select"`, "_1": `"_1"`} {
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL, Table: table})
		require.NoError(t, err)
		require.Contains(t, g.Schema(), " "+want+" (")
	}
	g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.MySQL, Table: "a.b"})
	require.NoError(t, err)
	require.Contains(t, g.Schema(), "`a`.`b`")
	for _, table := range []string{"a b", "a.b.c", `a"`, "a`", ".a", "a.", "1a", "ä", "a\n", "a;", strings.Repeat("a", 64)} {
		_, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL, Table: table})
		require.ErrorContains(t, err, "Config.Table", table)
		_, err = g.Triggers(table, "s")
		require.ErrorContains(t, err, "table: name is", table)
	}
	_, err = g.Triggers("a", "a b")
	require.ErrorIs(t, err, fencing.ErrMalformed)
}

// TestScopesAreLiterals: a scope may hold a quote, and what looks like SQL.
func TestScopesAreLiterals(t *testing.T) {
	f := &fake{}
	g, err := sqlfence.New(sqlfence.Config{DB: f.db(t), Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	_, err = g.Mark(t.Context(), "x'/**/OR/**/'1'='1")
	require.NoError(t, err)
	require.Contains(t, f.asked[len(f.asked)-1], `scope = 'x''/**/OR/**/''1''=''1'`)
}

// The statement that is kept is that of its token only: of another scope, epoch or term it would name the wrong one.
func TestEachTokenHasItsOwnLock(t *testing.T) {
	f := &fake{}
	g, err := sqlfence.New(sqlfence.Config{DB: f.db(t), Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)
	tx, err := f.db(t).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	otherScope, otherTerm := token(5), token(5)
	otherScope.Scope, otherTerm.Term = "shop/other", strings.Repeat("a", 32)
	for range 2 {
		for _, tok := range []fencing.Token{token(5), token(5), otherScope, token(6), otherTerm} {
			_ = g.Verify(t.Context(), tx, tok) // there is no mark
			locks := f.said("SELECT WHERE")
			require.Contains(t, locks[len(locks)-1], "'"+tok.String()+"'")
			require.Contains(t, locks[len(locks)-1], "scope = '"+tok.Scope+"'")
		}
	}
	require.Len(t, f.said("SELECT WHERE"), 10)
}

// TestRefusedBeforeAsking: what cannot be judged reaches no database.
func TestRefusedBeforeAsking(t *testing.T) {
	f := &fake{}
	g := guard(t, f, sqlfence.PostgreSQL)
	other := token(1)
	other.Scope = "shop/other"
	for want, bad := range map[error]fencing.Token{
		fencing.ErrMissing: {}, fencing.ErrMalformed: {Scope: "shop/invoicer", Epoch: -1, Term: term}, fencing.ErrScope: other,
	} {
		require.ErrorIs(t, g.Announce(t.Context(), bad), want)
		require.ErrorIs(t, g.Check(t.Context(), bad), want)
		require.ErrorIs(t, g.Verify(t.Context(), nil, bad), want)
		require.ErrorIs(t, g.InTx(t.Context(), bad, nil, nil), want)
		require.ErrorIs(t, g.RowChanged(t.Context(), nil, bad, driver.RowsAffected(1), "t", ""), want)
		_, err := g.RowSet(bad)
		require.ErrorIs(t, err, want)
		_, err = g.RowWhere(bad)
		require.ErrorIs(t, err, want)
	}
	_, err := g.Mark(t.Context(), "shop/other")
	require.ErrorIs(t, err, fencing.ErrScope)
	require.ErrorContains(t, g.InTx(t.Context(), token(1), &sql.TxOptions{ReadOnly: true}, nil), "ReadOnly")
	require.Empty(t, f.asked)
}

// TestEveryFailureBeforeTheWorkIsUnavailable, wherever it happens, and rolls back.
func TestEveryFailureBeforeTheWorkIsUnavailable(t *testing.T) {
	broken := errors.New("broken")
	for _, dialect := range []sqlfence.Dialect{sqlfence.PostgreSQL, sqlfence.MySQL, sqlfence.SQLite} {
		for _, mark := range [][]driver.Value{nil, {int64(4), term}, {int64(5), term}} {
			for n := range 16 { // the nth request fails
				asked := 0
				f := &fake{mark: mark}
				f.fail = func(s string) error {
					if s == "ROLLBACK" || s == "SET autocommit = 1" || strings.HasPrefix(s, "PRAGMA synchronous = ") || strings.Contains(s, "DEFAULT") || strings.Contains(s, "concat_ws") || strings.Contains(s, "journal_mode") {
						return nil // of these a failure is no refusal
					}
					if asked++; asked == n+1 {
						return broken
					}
					return nil
				}
				g := guard(t, f, dialect)
				ran := false
				err := g.InTx(t.Context(), token(5), nil, func(context.Context, *sql.Tx) error { ran = true; return nil })
				switch {
				case ran && err != nil:
					require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
					require.NotErrorIs(t, err, fencing.ErrUnavailable)
				case !ran:
					require.ErrorIs(t, err, fencing.ErrUnavailable)
				}
				if err != nil && asked > n {
					require.ErrorIs(t, err, broken)
				}
				require.LessOrEqual(t, len(f.said("BEGIN")), len(f.said("COMMIT", "ROLLBACK"))+1)
			}
		}
	}
}

// TestConnectionInDoubtIsClosed: one that commits nothing by itself must not go back to the pool, and one whose
// transaction may be open must not be told to commit by itself again.
func TestConnectionInDoubtIsClosed(t *testing.T) {
	for failing, connections := range map[string]int{"": 1, "SET autocommit = 0": 2, "ROLLBACK": 2, "COMMIT": 2, "SET autocommit = 1": 2, "RELEASE SAVEPOINT hotseat_fence": 1} {
		failed := errors.New("fn")
		if failing == "COMMIT" || failing == "RELEASE SAVEPOINT hotseat_fence" {
			failed = nil
		}
		f := &fake{mark: []driver.Value{int64(5), term}, fail: func(s string) error {
			if s == failing {
				return errors.New("broken")
			}
			return nil
		}}
		g := guard(t, f, sqlfence.MySQL)
		for range 2 {
			err := g.InTx(t.Context(), token(5), nil, func(context.Context, *sql.Tx) error { return failed })
			require.Error(t, err)
		}
		require.Len(t, f.said("CONNECT"), connections, failing)
	}
}

// TestMarkThatWentBack: what was raised is lower again when the work's transaction reads it.
func TestMarkThatWentBack(t *testing.T) {
	f := &fake{mark: []driver.Value{int64(4), term}}
	g := guard(t, f, sqlfence.PostgreSQL)
	err := g.InTx(t.Context(), token(5), nil, func(context.Context, *sql.Tx) error { panic("not to be called") })
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorContains(t, err, "went back")
	require.Len(t, f.said("COMMIT"), 1, "of the raise")
}

// TestUnfencedThatFails leaves no transaction open.
func TestUnfencedThatFails(t *testing.T) {
	broken := errors.New("broken")
	f := &fake{fail: func(s string) error {
		if strings.Contains(s, "hotseat.unfenced") {
			return broken
		}
		return nil
	}}
	ctx := fencing.AllowUnfenced(t.Context(), "repair")
	require.ErrorIs(t, guard(t, f, sqlfence.PostgreSQL).InTx(ctx, fencing.Token{}, nil, nil), broken)
	require.Len(t, f.said("ROLLBACK"), 1)
}

type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

func TestCommitErrors(t *testing.T) {
	for state, known := range map[string]bool{
		"40001": true, "40P01": true, "40002": true, "23505": true, "23514": true, "25P02": true,
		"40003": false, "08006": false, "08007": false, "57P01": false, "57P02": false, "58000": false, "XX000": false, "": false, "4": false,
	} {
		f := &fake{mark: []driver.Value{int64(5), term}, fail: func(s string) error {
			if s == "COMMIT" {
				return stateError(state)
			}
			return nil
		}}
		err := guard(t, f, sqlfence.PostgreSQL).InTx(t.Context(), token(5), nil, func(context.Context, *sql.Tx) error { return nil })
		require.Equal(t, !known, errors.Is(err, sqlfence.ErrCommitUnknown), state)
		require.ErrorIs(t, err, stateError(state))
		require.Len(t, f.said("COMMIT"), 1, "never again by itself")
	}
	// fn has ended the transaction itself: whether by a commit, nobody knows.
	f := &fake{mark: []driver.Value{int64(5), term}}
	err := guard(t, f, sqlfence.PostgreSQL).InTx(t.Context(), token(5), nil, func(_ context.Context, tx *sql.Tx) error { return tx.Commit() })
	require.ErrorIs(t, err, sqlfence.ErrCommitUnknown)
}

// TestRefusalsAreReported to the term that the context belongs to.
func TestRefusalsAreReported(t *testing.T) {
	var told []error
	ctx := fencing.WithReporter(t.Context(), func(err error) { told = append(told, err) })
	g := guard(t, &fake{mark: []driver.Value{int64(6), []byte(term)}}, sqlfence.MySQL)
	stale := &fencing.StaleError{Presented: token(5), Mark: token(6)}
	require.Equal(t, stale, g.Check(ctx, token(5)))
	require.Equal(t, stale, g.Announce(ctx, token(5)))
	require.Equal(t, stale, g.InTx(ctx, token(5), nil, nil))
	require.Equal(t, []error{stale, stale, stale}, told)
}
