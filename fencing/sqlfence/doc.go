// Package sqlfence fences writes to a SQL database, over database/sql. It supports PostgreSQL,
// MariaDB, MySQL and SQLite. It was not tested on MySQL itself: see [MySQL].
//
// A table in the database keeps the mark of each scope. The work writes through [Guard.InTx]. Each
// of its transactions begins by taking a shared lock and reading the mark. A newer term raises the
// mark under the exclusive lock:
//
//	active, term 41                      database (mark)            successor, term 42
//	   | InTx: lock shared, mark = 41 ---> 41
//	   | write ...                         41   <-- waits --------  Announce(42) |
//	   | commit ------------------------->  42       ok ---------->  work begins |
//	   | InTx: lock shared, mark = 42 ---> refused: *fencing.StaleError
//
// So check and effect are one step. The transactions of one term run side by side. Once Announce
// has returned, no older transaction is open, and none can open.
//
// # Setting up
//
// These things are needed:
//   - Run [Guard.Schema] with your migrations. [New] does not use the database, so the program that
//     migrates can make a guard just to call Schema.
//   - Make the guard with the scope of the Lease: [fencing.Scope] in [Config].
//   - Give the guard to the elector (Config.Guards of package singleton). One guard may serve many
//     electors.
//   - Write through [Guard.InTx], with the token from the work's context.
//
// In code:
//
//	guard, err := sqlfence.New(sqlfence.Config{
//		DB: db, Dialect: sqlfence.PostgreSQL, Scope: fencing.Scope("shop", "invoicer"),
//	})
//	...
//	elector, err := singleton.New(client, singleton.Config{
//		Namespace: "shop", Name: "invoicer", Guards: []fencing.Guard{guard},
//	})
//	...
//	// in the work; term is its parameter
//	err = guard.InTx(ctx, term.Token(), nil, func(ctx context.Context, tx *sql.Tx) error {
//		_, err := tx.ExecContext(ctx, "UPDATE invoices SET state = 'sent' WHERE id = $1", id)
//		return err
//	})
//
// Two things are optional:
//   - The triggers of [Guard.Triggers] refuse writers that know nothing of guards.
//   - [Guard.RowSet] fences single rows without the lock.
//
// # Rights
//
// The table shows what each role needs on the table of marks. Nobody needs DELETE: a deleted mark
// is a lowered mark.
//
//	who                                         PostgreSQL               MariaDB, MySQL
//	writes, with InTx or Verify                 SELECT                   SELECT
//	writes, at isolation above READ COMMITTED   SELECT, UPDATE of a      SELECT
//	                                            column
//	announces (the elector: Announce, Check)    SELECT, INSERT, UPDATE   SELECT, INSERT, UPDATE
//	announces, with HoldLimit or IdleLimit      the same, and logs in    the same, PROCESS, and logs
//	                                            as the writers' user     in as the writers' user
//	runs Schema                                 CREATE in the schema     CREATE
//	runs Triggers                               owns the guarded table,  TRIGGER on guarded tables,
//	                                            reads the marks          reads the marks
//
// So a role that only writes cannot lower a mark:
//
//	GRANT SELECT ON hotseat_fence TO writers
//	GRANT SELECT, INSERT, UPDATE ON hotseat_fence TO announcers -- the elector's
//
// InTx announces a token that is newer than the mark. A role that only writes may not do that: it
// gets ErrUnavailable, with the text of the database's refusal. At isolation levels above READ
// COMMITTED, PostgreSQL demands UPDATE for locking the mark's row. The right to any one column is
// enough. It may be a column that nobody uses:
//
//	ALTER TABLE hotseat_fence ADD COLUMN lockable boolean;
//	GRANT UPDATE (lockable) ON hotseat_fence TO writers
//
// Some errors are permanent: do not retry them. They are [fencing.ErrWiring] as well as
// [fencing.ErrUnavailable], and their text names the table. fencing.KindOf says KindWiring. If an
// elector gets such errors from the start of its Run, and still gets one a lease duration later,
// the Run ends. The permanent errors are:
//   - a missing table or schema, or a table of another shape,
//   - missing rights, or an unknown user or database,
//   - a dialect that the database does not speak.
//
// # What lasts
//
// Once Announce has returned, the mark is as durable as a commit is under the database's settings.
// In PostgreSQL and SQLite it is more durable, because the transaction that raises it has settings
// of its own (see below). The table shows what a mark survives:
//
//	            where the server or session has    the mark survives
//	PostgreSQL  synchronous_commit, any value      a crash of the server, and of its machine; with
//	                                               synchronous standbys, promotion of a standby too
//	            fsync or full_page_writes off      a crash of the server's process only *
//	MariaDB     innodb_flush_log_at_trx_commit 1   a crash of the server and of its machine
//	              and sync_binlog 1 (or no log)
//	            innodb_flush_log_at_trx_commit 2,  a crash of the server's process only *
//	              or sync_binlog other than 1
//	            innodb_flush_log_at_trx_commit 0   neither crash: up to a second is lost *
//	SQLite      synchronous, any but OFF           a crash of the process, and of its machine
//	            synchronous OFF                    a crash of the process only *
//	            journal_mode OFF or MEMORY         neither crash: the whole file may be lost *
//
// The transaction that raises a mark has its own settings, whatever the writers chose. In
// PostgreSQL, synchronous_commit is on there if it was off or local. In SQLite, synchronous is
// EXTRA there. MariaDB has no such setting for one transaction. A semi-synchronous replica of
// MariaDB has the mark, unless the wait for the replica timed out. The server does not report that.
//
// The first announcement looks at the settings. Where the table has a star, the announcement logs a
// warning. If [Config.RequireDurable] is set, it is refused instead.
//
// A visible mark is not necessarily durable. MariaDB shows a mark before it is on the disk.
// PostgreSQL shows it if the commit gave up waiting for the standby. So Announce and Check make one
// further commit before they succeed. When that commit is durable, so is the mark. A guard makes
// such a commit only once for each mark. It makes none for a mark that it raised itself. SQLite
// needs none: what can be seen is on the disk. InTx needs none either, because its own commit comes
// after the mark. If that commit is asynchronous, it may be lost together with the mark. If
// somebody cancels a PostgreSQL session (pg_cancel_backend) while it waits for the standby, the
// session reports success although the standby may not have the mark.
//
// # Limits of time
//
// Suppose that a client stands still in a transaction, and that [Config.IdleLimit] is set. The
// table shows how long the client delays its successor:
//
//	            between        in the middle of    in the middle of      in the middle of
//	            statements     a result            COPY FROM, LOAD DATA  an announcement
//	PostgreSQL  the limit      the limit + 0.5 s   the limit + 0.5 s     5 s
//	MariaDB     the limit      the limit           the limit             5 s
//	MySQL       wait_timeout   the limit           the limit             wait_timeout
//	SQLite      without bound  -                   -                     without bound
//
// The limits of MariaDB and MySQL are for InTx. What the table says of LOAD DATA and of MySQL is
// taken from the documentation, and was not tested.
//
// PostgreSQL:
//   - Between statements, idle_in_transaction_session_timeout ends the transaction.
//   - In the middle of a result, tcp_user_timeout ends it (if the server runs on Linux), or the
//     successor does.
//   - If a session has an IdleLimit and has waited for its client for longer than that, the
//     successor ends the session. The successor can end only sessions of its own database user, and
//     needs a second connection of its pool for that. A very slow reader may be taken for a client
//     that stands still.
//
// MariaDB: for Verify, set idle_transaction_timeout, net_write_timeout and net_read_timeout for the
// session. MySQL: set the last two.
//
// [Config.HoldLimit] bounds everything else in PostgreSQL and MariaDB, including a long statement.
//
// SQLite: a process that stands still with the lock has to be killed. Each attempt of the successor
// fails at its busy timeout, and the error says so. The successor stays locked out until the
// process is killed.
//
// # Recovery
//
//	how a mark is lost or poisoned     what is seen                  what to do
//	the table was dropped              ErrWiring, from every call    run Schema again, then write the
//	                                                                 row by hand
//	the row was deleted; an old backup nothing: older tokens pass    write the row by hand before the
//	restored; a lagging replica        until the term is announced   writers come back; if you do
//	                                   again                         not, the elector announces the
//	                                                                 term within its AnnouncePeriod
//	the epoch is too high (a test's,   ErrStale for every write and  raise the Lease's epoch above
//	that of another cluster)           announcement of the current   the mark's (an elector does that
//	                                   term                          itself, by up to MaxRaise); if
//	                                                                 no higher epoch is possible,
//	                                                                 write the row by hand
//	the epoch or the term is invalid   ErrUnavailable: "damaged"     write the row by hand
//	the column's type was changed      ErrUnavailable, or ErrWiring  change the column back, then
//	                                                                 write the row by hand
//
// "By hand" means: stop the writers, then write the epoch and the term from the Lease's annotations
// (hotseat-go.github.io/):
//
//	UPDATE hotseat_fence SET epoch = 42, term = '9f86d081884c7d659a2feaa0c55ad015'
//	  WHERE scope = 'shop/invoicer'
//
// or INSERT the row. Writers have to stop first because in PostgreSQL such a statement does not
// always wait for open transactions. The mark counts at once, without a new announcement. In
// MariaDB the row ' committed' is no mark; leave it.
//
// # What it costs
//
// An unfenced transaction takes one round trip each for begin, for every statement and for commit.
// A fenced one takes one more. That extra round trip must come before the first effect, and
// database/sql cannot combine it with another one. In PostgreSQL, [Connector] can: the guard's
// prepared statement travels with BEGIN.
//
// How much the round trip matters depends on how long a commit takes to reach the disk. The table
// shows the time of one writer's transactions relative to the same transactions unfenced. The
// numbers are medians, with pgx on a local PostgreSQL 15 (BenchmarkInTx of internal/guards). The
// rows with SELECT 1 are unfenced transactions that begin with SELECT 1. They show what the round
// trip alone costs. The goal for Connector is a ratio of at most 1.25 with the default settings:
//
//	                                                   1 statement    3 statements
//	default settings, a transaction takes 2-4 ms
//	    InTx                                           1.00-1.10      1.01-1.11
//	default settings, a transaction takes 0.5-1 ms
//	    InTx over connections of Connector             1.11-1.20      1.10-1.15
//	    InTx                                           1.26-1.38      1.18-1.27
//	    SELECT 1 instead of the guard's statement      1.19-1.26      1.11-1.19
//	fsync off
//	    InTx over connections of Connector             1.27-1.36      1.14-1.25
//	    InTx                                           1.44-1.50      1.24-1.35
//	    SELECT 1 instead of the guard's statement      1.27-1.36      1.15-1.22
//
// If there are many writers, they wait for the processor rather than for the disk. The next table
// shows the rate of fenced transactions relative to the rate of unfenced ones, over connections of
// Connector (BenchmarkThroughput, default settings, no triggers, lowest and highest median of three
// runs; writers and server shared two cores):
//
//	writers    1 statement    3 statements
//	 1         0.92-0.97      0.89-0.93
//	 8         0.88-0.91      0.91-0.94
//	32         0.90-0.91      0.91-0.94
//
// If the database has triggers of [Guard.Triggers], a fenced transaction costs the server 54 us of
// processor time. Without triggers it costs 12 to 17 us less, because the token need not be passed
// to triggers. At READ COMMITTED a fenced transaction takes no transaction id of its own, and
// leaves no multixact behind.
//
// # Limits
//
//   - A transaction that a frozen process left open holds up the successor, until the database or
//     the successor ends the transaction. See "Limits of time".
//   - The function that InTx runs, fn, must not end its transaction. [Connector], MySQL and SQLite
//     notice if it does. Over a plain PostgreSQL driver, a COMMIT and BEGIN in fn is not noticed,
//     and what follows is not fenced.
//   - In PostgreSQL at READ COMMITTED, only an advisory lock protects the mark while it is read. If
//     anything but the guard changes the guard's table, that change waits for no writer.
//   - If the answer to a commit is lost, the error is [ErrCommitUnknown]. This package neither
//     retries such a commit nor treats it as done.
//   - If a database was restored, or failed over to a replica that lags behind, it has an older
//     mark until the current term is announced again.
//   - Locks must hold for all writers. Some clusters have several primaries and certify writes at
//     the commit (Galera, Group Replication with many primaries). There a shared lock is known only
//     to the node on which it was taken: let all writers use one node. Other databases that speak
//     one of the dialects may treat a lock as a hint.
//   - Statements outside of the transactions of InTx and Verify are not fenced, nor are tables in
//     other databases.
//   - In MySQL and SQLite, some errors of a statement end the transaction. See [Guard.InTx] for
//     what that demands of fn. In MySQL, InTx rolls back what fn sends after such an error. So each
//     transaction of InTx takes four more short round trips in MySQL, even if nothing fails. Your
//     own transactions, with Verify, have no such help. But in MySQL, the triggers of
//     [Guard.Triggers] judge writes even after the transaction has ended. PostgreSQL keeps a
//     transaction open after an error, and refuses all later statements in it.
//   - In MySQL, connections of Config.DB must have autocommit on, and must not be READ UNCOMMITTED
//     by default. With autocommit off, a connection goes on seeing an old mark outside of
//     transactions. With READ UNCOMMITTED, it sees marks that may never be committed. Announce and
//     Check would trust such marks.
//   - In MySQL, tables of other engines than InnoDB do not roll back. Schema changes and TRUNCATE
//     commit their transaction, and so drop its lock. Do not use them in fn. If fn does, InTx
//     returns ErrCommitUnknown.
package sqlfence
