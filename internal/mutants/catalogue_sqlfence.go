package main

const (
	pkgGuards = "./internal/guards"

	fileSQLPostgres = "fencing/sqlfence/postgres.go"
	fileSQLLocks    = "fencing/sqlfence/statements.go"
	fileSQLConn     = "fencing/sqlfence/conn.go"
	fileSQLDurable  = "fencing/sqlfence/durable.go"
)

// ofSQLFence are bugs that the hammer on a real database, or what parks a write in it, must see; and
// of what the hammer has no crash, standby or session of another level for, the test that has.
func ofSQLFence() []mutant {
	return []mutant{
		{
			name: "database-admits-older", file: fileJudge, pkg: pkgGuards, run: "TestHammer/SQLite",
			old: judgeStale, new: "",
			why: "two actives write to a database in turns",
		},
		{
			name: "transaction-behind-no-lock", file: fileSQLPostgres, pkg: pkgGuards,
			run: "TestHammer/PostgreSQL$",
			old: `return s + " AND pg_advisory_xact_lock_shared(" + g.advisory(scope) + ") IS NOT NULL"`,
			new: `return s + " AND " + text(scope) + " IS NOT NULL"`,
			why: "a parked transaction commits after the newer term began",
		},
		{
			name: "transaction-behind-no-lock-with-begin", file: fileSQLPostgres, pkg: pkgGuards,
			run: "Test(Parked|Hammer)/PostgreSQL,_Connector$",
			old: `return s + " AND pg_advisory_xact_lock_shared(" + g.advisory(scope) + ") IS NOT NULL"`,
			new: `return s + " AND " + text(scope) + " IS NOT NULL"`,
			why: "the same where the fence travels with BEGIN",
		},
		{
			name: "announced-behind-no-lock", file: fileSQLPostgres, pkg: pkgGuards,
			run: "Test(Parked|Hammer)/PostgreSQL$",
			old: `" AND pg_advisory_xact_lock(" + g.advisory(scope) + ") IS NOT NULL"`,
			new: `" AND " + text(scope) + " IS NOT NULL"`,
			why: "a term begins while a transaction of the older one is open",
		},
		{
			name: "mark-of-before-the-wait", file: fileSQLPostgres, pkg: pkgGuards, run: "TestSessionOfAStricterLevel",
			old: `levelIsPlain("CASE WHEN epoch > 0 THEN 'transaction_isolation' END")`, new: `"true"`,
			why: "who waited for the lock is judged by a snapshot from before it",
		},
		{
			name: "triggers-looked-for-once", file: fileSQLConn, pkg: pkgGuards, run: "TestTriggersMadeLater",
			old: "tx.conn.looked = false", new: "tx.conn.looked = tx.conn.looked && true",
			why: "triggers that are made under connections of Connector refuse them for ever",
		},
		{
			name: "row-read-without-its-lock", file: fileSQLLocks, pkg: pkgGuards, run: "Test(Parked|Hammer)/MariaDB",
			old: `IS NOT NULL LOCK IN SHARE MODE"`, new: `IS NOT NULL"`,
			why: "a parked transaction of MariaDB commits after the newer term began",
		},
		{
			name: "mark-as-fast-as-its-writers", file: fileSQLPostgres, pkg: pkgGuards, run: "TestMarkOutlivesACrash",
			old: `IN ('off', 'local') THEN`, new: `IN ('none') THEN`,
			why: "an announced mark that a crash forgets",
		},
		{
			name: "seen-is-durable", file: fileSQLDurable, pkg: pkgGuards, run: "TestSynchronousStandbyHangs/PostgreSQL$",
			old: "mark == t || g.speak == SQLite {", new: "mark == t || g.speak != MySQL {",
			why: "an announced mark that a promoted standby does not have",
		},
	}
}
