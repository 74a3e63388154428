// Package sqlfence fences what is written to a SQL database, over database/sql: PostgreSQL, MariaDB
// and MySQL (tested on MariaDB only, see [MySQL]), SQLite.
//
// A table in the database keeps the mark of each scope. Work writes in transactions of [Guard.InTx],
// which begin by taking a shared lock and reading the mark; a newer term raises the mark under the
// exclusive one:
//
//	leader, term 41                      database (mark)            successor, term 42
//	   | InTx: lock shared, mark = 41 ---> 41
//	   | write ...                         41   <-- waits --------  Announce(42) |
//	   | commit ------------------------->  42       ok ---------->  work begins |
//	   | InTx: lock shared, mark = 42 ---> refused: *fencing.StaleError
//
// So check and effect are one step, the transactions of one leader run side by side, and when
// Announce has returned, no older transaction is open or can open.
//
// # Setting up
//
// Run [Guard.Schema] with your migrations, give the guard to the elector (Config.Guards of package
// singleton), and write through [Guard.InTx] with the token from the work's context. One guard may
// serve many electors. Optional: [Guard.Triggers] refuse writers that know nothing of guards.
// [Guard.RowSet] fences single rows without the lock.
//
// # Rights
//
// What each role needs on the table of marks. Nobody needs DELETE: a deleted mark is a lowered one.
//
//	who                                         PostgreSQL               MariaDB, MySQL
//	writes, with InTx or Verify                 SELECT                   SELECT
//	  above READ COMMITTED                      and UPDATE of a column   SELECT
//	announces (the elector: Announce, Check)     SELECT, INSERT, UPDATE   SELECT, INSERT, UPDATE
//	  and ends who holds it up (Limits of time) the writers' own role    the same, and PROCESS
//	runs Schema                                 CREATE in the schema     CREATE
//	runs Triggers                               owns the guarded table,  TRIGGER on the guarded table,
//	                                            reads the marks          reads the marks
//
// So who only writes cannot lower a mark:
//
//	GRANT SELECT ON hotseat_fence TO writers
//	GRANT SELECT, INSERT, UPDATE ON hotseat_fence TO announcers -- the elector's
//
// A token that was not announced is then ErrUnavailable for a writer, with the database's refusal.
// The UPDATE that PostgreSQL asks for above READ COMMITTED is for locking the mark's row, and the
// right to any column will do, also to one that says nothing:
//
//	ALTER TABLE hotseat_fence ADD COLUMN lockable boolean;
//	GRANT UPDATE (lockable) ON hotseat_fence TO writers
//
// What no retry mends is [fencing.ErrWiring] beside [fencing.ErrUnavailable], which ends an
// elector's Run that began with it: a missing table or schema, a table of another shape, missing
// rights, an unknown user or database, a dialect that the database does not speak. It names the
// table.
//
// # What lasts
//
// When Announce has returned, the mark survives what the database's settings let a commit survive,
// and in PostgreSQL and SQLite more:
//
//	            where the server or session has    the mark survives
//	PostgreSQL  synchronous_commit, any value      a crash of the server, and of its machine; with
//	                                               synchronous standbys the promotion of one
//	            fsync or full_page_writes off      a crash of the server's process only *
//	MariaDB     innodb_flush_log_at_trx_commit 1   a crash of the server and of its machine
//	              and sync_binlog 1 (or no log)
//	            innodb_flush_log_at_trx_commit 2,  a crash of the server's process only *
//	              or sync_binlog other than 1
//	            innodb_flush_log_at_trx_commit 0   neither: up to a second is lost *
//	SQLite      synchronous, any but OFF           a crash of the process, and of its machine
//	            synchronous OFF                    a crash of the process only *
//	            journal_mode OFF or MEMORY         neither, as the whole file may not *
//
// PostgreSQL's synchronous_commit of off or local is on in the transaction that raises a mark, and
// SQLite's synchronous EXTRA, whatever the writers chose. MariaDB has nothing of the kind for one
// transaction. A semi-synchronous replica of it has the mark unless the wait for it timed out,
// which the server does not tell.
//
// At the first announcement the settings are looked at: where there is a star, a warning is logged,
// or with [Config.RequireDurable] the announcement refused.
//
// A mark that can be seen need not last: MariaDB shows it before it is on the disk, and PostgreSQL
// when a commit gave up waiting for its standby. So Announce and Check of a mark that this process
// did not raise commit something behind it first, once (in SQLite what is seen is on the disk).
// InTx does not: its own commit is behind it. Where that is asynchronous it may be lost together
// with the mark. Somebody who cancels a PostgreSQL session (pg_cancel_backend) in the midst of its
// wait for the standby makes it say that all went well.
//
// # Limits of time
//
// What a client that stands still in a transaction costs its successor, with [Config.IdleLimit]:
//
//	            between        in the midst of     in the midst of       announcing
//	            statements     a result            COPY FROM, LOAD DATA
//	PostgreSQL  the limit      the limit + 0.5 s   the limit + 0.5 s     5 s
//	MariaDB     the limit      the limit           the limit             5 s
//	MySQL       wait_timeout   the limit           the limit             wait_timeout
//	SQLite      without bound  -                   -                     without bound
//
// MariaDB's and MySQL's limits are for InTx. LOAD DATA, and MySQL's row, are what their documentation
// says and were not run.
//
// In PostgreSQL between statements it is idle_in_transaction_session_timeout; in a result
// tcp_user_timeout (a server on Linux) or the successor, which ends sessions of its own database
// user whose transaction had IdleLimit and that it has seen wait for their client for so long; a
// very slow reader may be taken for one that stands still. It needs a second connection of its pool
// for that. In MariaDB, for Verify, set idle_transaction_timeout, net_write_timeout and
// net_read_timeout for the session; in MySQL the last two. [Config.HoldLimit] bounds everything
// else in PostgreSQL and MariaDB, a long statement too. In SQLite a process that stands still with
// the lock has to be killed; the successor's wait ends with its busy timeout, and says so.
//
// # Recovery
//
//	how a mark is lost or poisoned      what is seen                   what to do
//	the table was dropped               ErrWiring, from all            Schema again, then the row by
//	                                                                   hand
//	the row was deleted; an old backup  nothing, until the term is     before writers come back, the row
//	restored; a lagging replica         announced again: older tokens  by hand; else the elector
//	                                    pass meanwhile                 announces at its AnnouncePeriod
//	the epoch is too high (a test's,    ErrStale, from all of the      raise the Lease's epoch above it,
//	that of another cluster)            current term                   if there is room (an elector
//	                                                                   does, to a limit); else the row
//	                                                                   by hand
//	epoch or term is no token's         ErrUnavailable: "damaged"      the row by hand
//	the column's type was changed       as damaged, or ErrWiring       the column back, then the row by
//	                                                                   hand
//
// By hand means: stop the writers, then write the epoch and term that the Lease's annotations have
// (hotseat-go.github.io/):
//
//	UPDATE hotseat_fence SET epoch = 42, term = '9f86d081884c7d659a2feaa0c55ad015'
//	  WHERE scope = 'shop/invoicer'
//
// or INSERT it. Such a statement waits for no writer, and does not have to be announced again. In
// MariaDB the row ' committed' is no mark; leave it.
//
// # What it costs
//
// One round trip more, beside those of begin, each statement and commit. It has to come before the
// first effect, and database/sql cannot send it along with another. In PostgreSQL [Connector] can:
// the guard's statement travels with BEGIN, prepared. What that means hangs on how long a commit takes to reach
// the disk. One writer's transactions over the same unfenced, medians, with pgx on a local
// PostgreSQL 15 (BenchmarkInTx of internal/guards, whose bar for Connector is 1.25 with the default
// settings):
//
//	                                                   1 statement    3 statements
//	default settings, a transaction takes 2-4 ms
//	    InTx                                           1.00-1.10      1.01-1.11
//	default settings, a transaction takes 0.5-1 ms
//	    InTx over connections of Connector             1.11-1.20      1.10-1.15
//	    InTx                                           1.26-1.38      1.18-1.27
//	    SELECT 1 in place of the guard's               1.19-1.26      1.11-1.19
//	fsync off
//	    InTx over connections of Connector             1.27-1.36      1.14-1.25
//	    InTx                                           1.44-1.50      1.24-1.35
//	    SELECT 1 in place of the guard's               1.27-1.36      1.15-1.22
//
// Many writers wait for the processor rather than for the disk. What is kept of unfenced transactions a
// second over connections of Connector (BenchmarkThroughput, default settings, no triggers, lowest and
// highest median of three runs; writers and server shared two cores):
//
//	writers    1 statement    3 statements
//	 1         0.92-0.97      0.89-0.93
//	 8         0.88-0.91      0.91-0.94
//	32         0.90-0.91      0.91-0.94
//
// Where the database has triggers of [Guard.Triggers], a fenced transaction costs the server 54 us of
// its processor; without them the 12 to 17 us for telling them the token are saved. A fenced
// transaction takes no transaction id of its own at READ COMMITTED, and leaves no multixact behind.
//
// # Limits
//
//   - A transaction that a frozen process left open holds up its successor until the database or
//     the successor ends it: see above.
//   - fn must not end its transaction. [Connector], MySQL and SQLite notice; over a PostgreSQL
//     driver by itself a COMMIT and BEGIN of fn is not noticed, and what comes behind it not
//     fenced.
//   - Marks are read at READ COMMITTED behind PostgreSQL's advisory lock alone: whoever changes the
//     guard's table by other means than the guard waits for no writer.
//   - A commit whose answer is lost is [ErrCommitUnknown]. It is never retried here, and never
//     taken for done.
//   - A database that was restored, or failed over to a replica that lags behind, has an older mark
//     until the current term is announced again.
//   - Locks must hold for all writers. In clusters with several primaries that certify writes at
//     the commit (Galera, Group Replication with many primaries) a shared lock is known to its own
//     node only: let all writers use one node. Databases that merely speak a dialect may take a
//     lock for a hint.
//   - Statements outside of transactions of InTx and Verify, and tables in other databases, are not
//     fenced.
//   - MySQL and SQLite end a transaction with some errors of a statement: see [Guard.InTx] for what
//     that demands of fn. PostgreSQL refuses all that follows; in MySQL InTx rolls it back, and
//     takes four short round trips more for that. Transactions of one's own, with Verify, have no
//     such help; MySQL's triggers judge what is written behind a transaction.
//   - MySQL's connections of Config.DB must commit by themselves, and not be READ UNCOMMITTED by
//     default: with autocommit off they go on seeing an old mark outside of transactions, and the
//     other shows marks that may never come. Announce and Check believe both.
//   - MySQL's tables of other engines than InnoDB do not roll back. Its schema changes and TRUNCATE
//     commit the transaction they are in, and with that drop its lock: none in fn (InTx answers
//     ErrCommitUnknown then).
package sqlfence
