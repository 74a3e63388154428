package sqlfence

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// Triggers returns statements that make the database itself refuse changes of a table by whoever does not carry the
// current token of scope: code that forgot the guard, a script, a replica of an old release. Run them in order, each on its own, as
// the owner of the table; running them again replaces them, with a moment between when there is none (in PostgreSQL not in one
// transaction). [Guard.InTx] and [Guard.Verify] carry the token on their own connection; other
// writers may set it themselves, as text. Each change takes the shared lock, so a successor waits for it as for InTx.
//
//   - PostgreSQL: INSERT, UPDATE, DELETE and TRUNCATE, once per statement, so also those that touch no row. The setting is
//     hotseat.token: SET LOCAL hotseat.token = 'shop/invoicer@42.9f86...'. A refusal has the SQLSTATE HF001. A transaction of
//     [fencing.AllowUnfenced] sets hotseat.unfenced, which lets it through; an operator may, too. Who writes to a partition by its
//     own name fires the partition's triggers only: give each its own.
//   - MySQL: INSERT, UPDATE and DELETE, per row. The session variable is @hotseat_token; a refusal has the SQLSTATE HF001. It stays
//     on its connection when the transaction ends, until the next one replaces it: what is left over is refused
//     once a newer term is announced, not earlier. Unfenced transactions are refused. TRUNCATE and deletes by a foreign key's cascade run no
//     triggers: give writers no DROP privilege and no cascades.
//   - SQLite: not offered, an error. Its triggers see nothing that belongs to one connection.
//
// Whoever owns the table can drop the triggers or switch them off.
func (g *Guard) Triggers(table, scope string) ([]string, error) {
	on, err := g.speak.quote(table)
	if err != nil {
		return nil, fmt.Errorf("sqlfence: table: %w", err)
	}
	if err := fencing.ValidateScope(scope); err != nil {
		return nil, err
	}
	if err := g.in(scope); err != nil {
		return nil, err
	}
	switch g.speak {
	case PostgreSQL:
		return g.postgresTriggers(table, on, scope), nil
	case MySQL:
		return g.mysqlTriggers(table, on, scope), nil
	default:
		return nil, fmt.Errorf("sqlfence: triggers are not offered for %v", g.speak)
	}
}

const refusal = "hotseat: the transaction does not carry the current fencing token"

// current is a query that finds one row when token is the current one of scope. It takes the shared lock.
func (g *Guard) current(scope, concat, token, lock string) string {
	return fmt.Sprintf("FROM %s WHERE scope = %s AND %s = %s %s", g.table, text(scope), concat, token, lock)
}

func (g *Guard) postgresTriggers(table, on, scope string) []string {
	function := `"` + triggerName(table, "fence") + `"`
	if schema, _, ok := strings.Cut(on, "."); ok {
		function = schema + "." + function
	}
	current := g.current(scope, "scope || '@' || epoch || '.' || term", "current_setting('hotseat.token', true)", "FOR SHARE")
	body := fmt.Sprintf(`
BEGIN
	IF coalesce(current_setting('hotseat.unfenced', true), '') <> '' THEN RETURN NULL; END IF;
	PERFORM pg_advisory_xact_lock_shared(%s);
	PERFORM 1 %s;
	IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = 'HF001', MESSAGE = %s; END IF;
	RETURN NULL;
END `, g.advisory(scope), current, text(refusal))
	return []string{
		"CREATE OR REPLACE FUNCTION " + function + "() RETURNS trigger LANGUAGE plpgsql AS " + text(body),
		"DROP TRIGGER IF EXISTS hotseat_fence ON " + on,
		"CREATE TRIGGER hotseat_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + on +
			" FOR EACH STATEMENT EXECUTE FUNCTION " + function + "()",
	}
}

func (g *Guard) mysqlTriggers(table, on, scope string) []string {
	var statements []string
	current := g.current(scope, "CONCAT(scope, '@', epoch, '.', term)", "BINARY coalesce(@hotseat_token, '')", "LOCK IN SHARE MODE")
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		name := "`" + triggerName(table, strings.ToLower(event)) + "`"
		if schema, _, ok := strings.Cut(on, "."); ok {
			name = schema + "." + name
		}
		statements = append(statements,
			"DROP TRIGGER IF EXISTS "+name,
			fmt.Sprintf(`CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW
BEGIN
	DECLARE n INT;
	SELECT count(*) INTO n %s;
	IF n <> 1 THEN SIGNAL SQLSTATE 'HF001' SET MESSAGE_TEXT = %s; END IF;
END`, name, event, on, current, text(refusal)))
	}
	return statements
}

// triggerName is at most 63 characters, what databases allow, and of one table only.
func triggerName(table, what string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(table))
	return fmt.Sprintf("hotseat_%s_%016x", what, h.Sum64())
}

// declareUnfenced tells the triggers that ctx allows the transaction to carry no token.
func (g *Guard) declareUnfenced(ctx context.Context, tx *sql.Tx) error {
	reason, allowed := fencing.UnfencedReason(ctx)
	if !allowed {
		return errors.New("sqlfence: not allowed")
	}
	if g.speak != PostgreSQL {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT set_config('hotseat.unfenced', $1, true)", reason); err != nil {
		return g.unavailable("begin", err)
	}
	return nil
}
