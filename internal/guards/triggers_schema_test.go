package guards

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// in runs statements in a transaction that carries a token, over a connection of one's own. They are rolled back.
func in(t *testing.T, d *database, carries string, statements ...string) error {
	t.Helper()
	conn, err := d.admin.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "SET LOCAL hotseat.token = '"+carries+"'")
	require.NoError(t, err)
	for _, s := range statements {
		if _, err = tx.ExecContext(t.Context(), s); err != nil {
			return err
		}
	}
	return nil
}

// TestTriggersKeepTheirGuard, whatever the writer's search_path finds: nothing, another's, or one of its own making.
func TestTriggersKeepTheirGuard(t *testing.T) {
	d, c := triggered(t, postgres)
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, c.Announce(t.Context(), now))
	n, marks := names.Add(1), d.marks()
	columns := " (scope text, epoch bigint, term char(32))"
	row := fmt.Sprintf(" VALUES ('%s', 5, '%s')", old.Scope, old.Term)
	change := "UPDATE public." + d.register() + " SET value = 'b'"
	other := fmt.Sprintf("other_%d", n)
	d.do(t, "CREATE SCHEMA "+other,
		"CREATE FUNCTION "+other+".always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
		"CREATE FUNCTION "+other+".never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
		"CREATE OPERATOR "+other+".= (LEFTARG = text, RIGHTARG = text, FUNCTION = "+other+".always)",
		"CREATE OPERATOR "+other+".<> (LEFTARG = text, RIGHTARG = text, FUNCTION = "+other+".never)",
		fmt.Sprintf("CREATE FUNCTION pinned_%d() RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS %s", n, quoted(change)))

	for name, way := range map[string][]string{
		"plainly":               {change},
		"a pinned function":     {fmt.Sprintf("SELECT pinned_%d()", n)},
		"an empty search_path":  {"SET LOCAL search_path = ''", change},
		"another's table":       {"CREATE TABLE " + other + "." + marks + columns, "INSERT INTO " + other + "." + marks + row, "SET LOCAL search_path = " + other, change},
		"a temporary table":     {"CREATE TEMP TABLE " + marks + columns, "INSERT INTO pg_temp." + marks + row, change},
		"operators of its own":  {"SET LOCAL search_path = " + other + ", pg_catalog", change},
		"at a stricter level":   {"COMMIT", "BEGIN ISOLATION LEVEL REPEATABLE READ", "SET LOCAL hotseat.token = '%s'", change},
		"behind another lock":   {"LOCK TABLE public." + d.register(), change},
		"a stale one by DELETE": {"DELETE FROM public." + d.register()},
	} {
		t.Run(name, func(t *testing.T) {
			carrying := func(token fencing.Token) error {
				mine := make([]string, len(way))
				for i, s := range way {
					mine[i] = s
					if s == "SET LOCAL hotseat.token = '%s'" {
						mine[i] = fmt.Sprintf(s, token)
					}
				}
				return in(t, d, token.String(), mine...)
			}
			require.NoError(t, carrying(now), "the current term")
			err := carrying(old)
			require.ErrorContains(t, err, "does not carry the current fencing token")
			require.ErrorContains(t, err, old.String())
			require.ErrorContains(t, err, now.String())
		})
	}
}

func quoted(s string) string { return "$$" + s + "$$" }

// TestTriggersOfTwoTenants: each has a guard and a table in a schema of its own, under the same names.
func TestTriggersOfTwoTenants(t *testing.T) {
	d := postgres.database(t)
	n := names.Add(1)
	for i, schema := range []string{fmt.Sprintf("a_%d", n), fmt.Sprintf("b_%d", n)} {
		d.do(t, "CREATE SCHEMA "+schema)
		db, err := sql.Open("pgx", d.server.server(t).DSN()+"&search_path="+schema)
		require.NoError(t, err)
		defer func() { _ = db.Close() }()
		g, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
		require.NoError(t, err)
		statements, err := g.Triggers("bill", guardtest.Scope)
		require.NoError(t, err)
		for _, s := range append([]string{g.Schema(), "CREATE TABLE bill (v TEXT)"}, statements...) {
			_, err := db.ExecContext(t.Context(), s)
			require.NoError(t, err, s)
		}
		require.NoError(t, g.Announce(t.Context(), guardtest.Token(int64(10*(i+1)), 0)))
	}
	write := fmt.Sprintf("INSERT INTO b_%d.bill VALUES ('x')", n)
	path := fmt.Sprintf("SET LOCAL search_path = a_%d", n)
	require.ErrorContains(t, in(t, d, guardtest.Token(10, 0).String(), path, write), "the mark is "+guardtest.Token(20, 0).String())
	require.NoError(t, in(t, d, guardtest.Token(20, 0).String(), path, write))
}

// TestUnfencedSettingOfASession lets nobody through: it would leak behind a pool. One that is of the transaction does.
func TestUnfencedSettingOfASession(t *testing.T) {
	d, c := triggered(t, postgres)
	require.NoError(t, c.Announce(t.Context(), guardtest.Token(6, 0)))
	conn, err := d.single(t).Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	change := "UPDATE " + d.register() + " SET value = 'b'"
	for _, set := range []string{
		"SET hotseat.unfenced = 'repair'", "SELECT set_config('hotseat.unfenced', txid_current() || ' repair', false)",
	} {
		_, err = conn.ExecContext(t.Context(), set)
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), change)
		require.ErrorContains(t, err, "does not carry the current fencing token: it carries none, the mark is "+guardtest.Token(6, 0).String())
	}
	tx, err := conn.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT set_config('hotseat.unfenced', txid_current() || ' repair', true)")
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), change)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	_, err = conn.ExecContext(t.Context(), change)
	require.ErrorContains(t, err, "does not carry")
	allowed := fencing.AllowUnfenced(t.Context(), "repair")
	require.NoError(t, c.InTx(allowed, fencing.Token{}, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, change)
		return err
	}))
}

// TestTriggersOfMariaDBKeepTheirGuard, which is that of the table's schema, whatever the session's is.
func TestTriggersOfMariaDBKeepTheirGuard(t *testing.T) {
	d, c := triggered(t, mariadb)
	old, now := guardtest.Token(5, 0), guardtest.Token(6, 0)
	require.NoError(t, c.Announce(t.Context(), now))
	other := fmt.Sprintf("other_%d", names.Add(1))
	theirs := other + "." + d.marks()
	d.do(t, "CREATE DATABASE "+other, "CREATE TABLE "+theirs+" (scope VARCHAR(317), epoch BIGINT, term CHAR(32))",
		fmt.Sprintf("INSERT INTO %s VALUES ('%s', 5, '%s')", theirs, old.Scope, old.Term))
	conn, err := d.single(t).Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(t.Context(), "USE "+other)
	require.NoError(t, err)
	carrying := func(token fencing.Token) error {
		_, err := conn.ExecContext(t.Context(), "SET @hotseat_token = '"+token.String()+"'")
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), "UPDATE hotseat."+d.register()+" SET value = 'b'")
		return err
	}
	err = carrying(old)
	require.ErrorContains(t, err, "does not carry the current fencing token")
	require.ErrorContains(t, err, old.String())
	require.ErrorContains(t, err, now.String())
	require.NoError(t, carrying(now))
}
