package sqlfence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// Triggers returns statements that make the database itself refuse changes of a table by writers
// that do not carry the current token of scope: code that forgot the guard, a script, or a replica
// of an old release.
//
// Run the statements in order, each on its own, as the owner of the table, over a session in which
// [Config.Table] names the guard's table. Running them again replaces the triggers. For a moment
// the table then has none, except in PostgreSQL if all the statements run in one transaction.
//
// [Guard.InTx] and [Guard.Verify] carry the token on their connection. Other writers may set the
// token themselves, as text: the list says where. Each change takes the shared lock. So a successor
// waits for the transaction of the change, as it waits for a transaction of InTx. A refusal names
// both tokens. A connection of [Connector] that is already open may not know of new triggers yet:
// the documentation of Connector says what happens then.
//
//   - PostgreSQL: the triggers judge INSERT, UPDATE, DELETE and TRUNCATE, once per statement, even
//     a statement that touches no row. The token is in the setting hotseat.token: SET LOCAL
//     hotseat.token = 'shop/invoicer@42.9f86...'. A refusal has the SQLSTATE HF001. The guard's
//     table is the one that is found when the triggers are created, whatever search_path a writer
//     has. The role that runs the statements must be able to read that table, and to lock its rows
//     if writers use stricter levels than READ COMMITTED. Writers need no right to it. A
//     transaction of [fencing.AllowUnfenced] sets hotseat.unfenced, which lets it through. An
//     operator may set it too: SELECT set_config('hotseat.unfenced', txid_current() || ' repair of
//     Tuesday', true). The setting begins with the number of a transaction and counts only in that
//     one, so it cannot leak through a pool. If a statement writes to a partition directly, only
//     the triggers of that partition fire. So create triggers for each partition too.
//   - MySQL: the triggers judge INSERT, UPDATE and DELETE, per row. The token is in the session
//     variable @hotseat_token. A refusal has the SQLSTATE HF001. The variable stays on its
//     connection after the transaction, until the next transaction replaces it. A leftover token is
//     refused once a newer term is announced, not earlier. Unfenced transactions are refused.
//     TRUNCATE and deletes by a foreign key's cascade run no triggers: give writers no DROP
//     privilege and no cascades. Give them no CREATE TEMPORARY TABLES either: a temporary table
//     hides the guard's. If the name of the guard's table has no schema, the triggers look in their
//     own schema.
//   - SQLite: not offered; Triggers returns an error. A trigger in SQLite cannot read what belongs
//     to one connection, such as its token.
//
// The owner of the table can drop the triggers or switch them off.
func (g *marks) Triggers(table, scope string) ([]string, error) {
	on, err := g.speak.quote(table)
	if err != nil {
		return nil, fmt.Errorf("sqlfence: table: %w", err)
	}
	if err := fencing.OwnScope(scope, cmp.Or(g.scope, scope)); err != nil {
		return nil, err
	}
	switch g.speak {
	case PostgreSQL:
		g.triggered.Store(true)
		return g.postgresTriggers(table, on, scope), nil
	case MySQL:
		return g.mysqlTriggers(table, on, scope), nil
	default:
		return nil, fmt.Errorf("sqlfence: triggers are not offered for %v", g.speak)
	}
}

// postgresTrigger is the name of every trigger in PostgreSQL. Names of triggers are unique per
// table there.
const postgresTrigger = "hotseat_fence"

const refusal = "hotseat: the transaction does not carry the current fencing token"

// postgresTriggers qualify the guard's table with the schema in which it is found when the trigger
// is created. A writer's search_path does not matter later, nor do the operators and temporary
// tables in it. The function runs as its owner, so writers need no right to the guard's table.
//
// A setting that lets a transaction through must be bound to that transaction. Otherwise it could
// outlive the transaction, in a session that others use next.
func (g *marks) postgresTriggers(table, on, scope string) []string {
	function := `"` + triggerName(table, "fence") + `"`
	if schema, _, ok := strings.Cut(on, "."); ok {
		function = schema + "." + function
	}
	mark := "SELECT scope || '@' || epoch || '.' || term INTO mark FROM %1$s WHERE scope = " +
		formatted(text(scope))
	body := `
DECLARE
	token text := coalesce(current_setting('hotseat.token', true), '');
	unfenced text := coalesce(current_setting('hotseat.unfenced', true), '');
	mark text;
BEGIN
	IF unfenced <> '' AND split_part(unfenced, ' ', 1) = txid_current()::text THEN RETURN NULL; END IF;
	PERFORM pg_advisory_xact_lock_shared(` + advisory("%1$L::regclass", scope) + `);
	IF ` + plainLevel() + ` THEN
		` + mark + `;
	ELSE
		` + mark + ` FOR SHARE;
	END IF;
	IF mark IS DISTINCT FROM token THEN
		RAISE EXCEPTION USING ERRCODE = 'HF001',
			MESSAGE = ` + text(refusal+": it carries ") + ` || coalesce(nullif(token, ''), 'none')
				|| ', the mark is ' || coalesce(mark, 'none'),
			HINT = CASE WHEN unfenced <> ''
				THEN 'hotseat.unfenced counts only in the transaction whose number it begins with:'
					|| ' txid_current()'
				ELSE 'Write in InTx of package sqlfence, or after its Verify.' END;
	END IF;
	RETURN NULL;
END `
	making := fmt.Sprintf(`
DECLARE
	fence text;
BEGIN
	SELECT format('%%I.%%I', n.nspname, c.relname) INTO STRICT fence
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s::regclass;
	EXECUTE format(%s, format(%s, fence));
END `, text(g.table),
		text("CREATE OR REPLACE FUNCTION "+function+"() RETURNS trigger LANGUAGE plpgsql"+
			" SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L"), text(body))
	return []string{
		"DO " + text(making),
		"DROP TRIGGER IF EXISTS " + postgresTrigger + " ON " + on,
		"CREATE TRIGGER " + postgresTrigger + " BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + on +
			" FOR EACH STATEMENT EXECUTE FUNCTION " + function + "()",
	}
}

// formatted escapes s for PostgreSQL's format.
func formatted(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// mysqlTriggers look for the guard's table in their own schema if its name has no schema. The text
// of a refusal may have 128 characters in MySQL, and 512 in MariaDB.
func (g *marks) mysqlTriggers(table, on, scope string) []string {
	var statements []string
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		name := "`" + triggerName(table, strings.ToLower(event)) + "`"
		if schema, _, ok := strings.Cut(on, "."); ok {
			name = schema + "." + name
		}
		statements = append(statements,
			"DROP TRIGGER IF EXISTS "+name,
			fmt.Sprintf(`CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW
BEGIN
	DECLARE mark VARCHAR(400);
	DECLARE said VARCHAR(1000);
	SELECT max(CONCAT(scope, '@', epoch, '.', term)) INTO mark
		FROM %s WHERE scope = %s LOCK IN SHARE MODE;
	IF mark IS NULL OR BINARY mark <> BINARY coalesce(@hotseat_token, '') THEN
		SET said = LEFT(
			CONCAT(%s, coalesce(@hotseat_token, 'none'), ', the mark is ', coalesce(mark, 'none')),
			IF(version() LIKE '%%MariaDB%%', 512, 128));
		SIGNAL SQLSTATE 'HF001' SET MESSAGE_TEXT = said;
	END IF;
END`, name, event, on, g.table, text(scope), text(refusal+": it carries ")))
	}
	return statements
}

// triggerName is unique for a table. It has at most 63 characters, as databases demand.
func triggerName(table, what string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(table))
	return fmt.Sprintf("hotseat_%s_%016x", what, h.Sum64())
}

// declareUnfenced tells the triggers that ctx allows the transaction to carry no token.
func (g *marks) declareUnfenced(ctx context.Context, tx Session) error {
	reason, allowed := fencing.UnfencedReason(ctx)
	if !allowed {
		return errors.New("sqlfence: not allowed")
	}
	if g.speak != PostgreSQL {
		return nil
	}
	const declare = "SELECT set_config('hotseat.unfenced', txid_current() || ' ' || $1::text, true)"
	if _, err := tx.Exec(ctx, declare, reason); err != nil {
		return g.unavailable("begin", err)
	}
	return nil
}
