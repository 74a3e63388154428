// Package sqlfence fences what is written to a SQL database, over database/sql: PostgreSQL, MariaDB and MySQL (tested on
// MariaDB only, see [MySQL]), SQLite.
//
// A table in the database keeps the mark of each scope. Work writes in transactions of [Guard.InTx], which begin with
// the fence row, under a shared lock; a newer term raises the mark under an exclusive one:
//
//	leader, term 41                      database (mark)            successor, term 42
//	   | InTx: lock shared, mark = 41 ---> 41
//	   | write ...                         41   <-- waits ---------  Advance(42) |
//	   | commit ------------------------->  42       ok ---------->  work begins |
//	   | InTx: lock shared, mark = 42 ---> refused: *fencing.StaleError
//
// So check and effect are one step, the transactions of one leader run side by side, and when Advance has returned, no
// older transaction is open or can open.
//
// # Setting up
//
// Run [Guard.Schema] with your migrations, give the guard to the elector (Config.Fences of package singleton), and write
// through [Guard.InTx] with the token from the work's context. One guard may serve many electors. Optional: [Guard.Triggers]
// refuse writers that know nothing of guards. [Guard.RowSet] fences single rows without the lock.
//
// # What it costs
//
// One round trip more, beside those of begin, each statement and commit. It has to come before the first effect, and database/sql cannot
// send it along with another. In PostgreSQL [Connector] can: the fence travels with BEGIN, prepared. What that means hangs on how long
// a commit takes to reach the disk. Medians of one writer's transactions over the same unfenced, with pgx on a local PostgreSQL 15
// (BenchmarkInTx of internal/guards, whose bar for Connector is 1.25 with the default settings):
//
//	                                                   1 statement    3 statements
//	default settings, a transaction takes 2-4 ms
//	    InTx                                           1.00-1.10      1.01-1.11
//	default settings, a transaction takes 0.5-1 ms
//	    InTx over connections of Connector             1.11-1.20      1.10-1.15
//	    InTx                                           1.26-1.38      1.18-1.27
//	    SELECT 1 in place of the fence                 1.19-1.26      1.11-1.19
//	fsync off
//	    InTx over connections of Connector             1.27-1.36      1.14-1.25
//	    InTx                                           1.44-1.50      1.24-1.35
//	    SELECT 1 in place of the fence                 1.27-1.36      1.15-1.22
//
// # Limits
//
//   - A transaction that a frozen process left open holds up its successor until the database ends it. Let it: [Config.IdleLimit],
//     or MariaDB's idle_transaction_timeout, or tcp_keepalives and wait_timeout.
//   - A commit whose answer is lost is [ErrCommitUnknown]. It is never retried here, and never taken for done.
//   - A database that was restored, or failed over to a replica that lags behind, has an older mark until the current
//     term is announced again.
//   - Locks must hold for all writers. In clusters with several primaries that certify writes at the commit (Galera, Group Replication with
//     many primaries) a shared lock is known to its own node only: let all writers use one node. Databases that merely speak a dialect
//     may take a lock for a hint.
//   - Statements outside of transactions of InTx and Verify, and tables in other databases, are not fenced.
//   - MySQL and SQLite end a transaction with some errors of a statement: see [Guard.InTx] for what that demands of fn. PostgreSQL
//     refuses all that follows; in MySQL InTx rolls it back, and takes four short round trips more for that. Transactions of one's own,
//     with Verify, have no such help; MySQL's triggers judge what is written behind a transaction.
//   - MySQL's connections of Config.DB must commit by themselves, and not be READ UNCOMMITTED by default: with autocommit off they go on
//     seeing an old mark outside of transactions, and the other shows marks that may never come. Advance and Check believe both.
//   - MySQL's tables of other engines than InnoDB do not roll back. Its schema changes and
//     TRUNCATE commit the transaction they are in, and with that drop its lock: none in fn (InTx answers ErrCommitUnknown then).
package sqlfence
