package sqlfence

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// unbroken returns err, the error of a commit, or else the cause of ctx's end. When ctx ends, a
// driver may cancel the statement on the server. A PostgreSQL that waits for its synchronous
// standby then gives up waiting, and reports success.
func unbroken(ctx context.Context, err error) error {
	if err == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// prove makes sure that the mark t lasts. What can be seen need not last: another process may have
// raised the mark, or this one gave up waiting for the disk or for a standby. A later commit proves
// that the mark lasts.
//
// In SQLite a mark that can be seen is on the disk.
func (g *marks) prove(ctx context.Context, t fencing.Token) error {
	if mark, ok := g.proven.Load(t.Scope); ok && mark == t || g.speak == SQLite {
		return nil
	}
	if err := g.inspect(ctx); err != nil {
		return err
	}
	statement := proof
	if g.speak == MySQL { // it writes a row of no scope: writers hold the lock of t's own row
		statement = "INSERT INTO " + g.table + " (scope, epoch, term) VALUES (' committed', 1, '')" +
			" ON DUPLICATE KEY UPDATE epoch = 1 + epoch % 1000000"
	}
	_, err := g.client.Exec(ctx, statement)
	if err = unbroken(ctx, err); err != nil {
		return g.unavailable("making sure that the mark lasts", err)
	}
	g.proven.Store(t.Scope, t)
	return nil
}

// patience bounds what is done after the caller's context has ended, and how long a process may
// stand still in the middle of an announcement.
const patience = 5 * time.Second

// inspect checks, before the first announcement, whether the database may lose what it reported as
// committed.
func (g *marks) inspect(ctx context.Context) error {
	if g.inspected.Load() {
		return nil
	}
	weak, err := g.weak(ctx)
	switch {
	case err == nil && weak == "":
	case err != nil && g.durable:
		return g.unavailable("looking whether marks last", err)
	case g.durable:
		err := fmt.Errorf("a crash may lose marks: %s", weak)
		return &wiringError{table: g.name, doing: "Config.RequireDurable", err: err}
	case err != nil: // a user who may not look is not stopped
		g.log.LogAttrs(ctx, slog.LevelDebug, "sqlfence: cannot tell whether marks survive a crash",
			slog.String("table", g.name), slog.Any("error", err))
		return nil
	default:
		g.log.LogAttrs(ctx, slog.LevelWarn, "sqlfence: a crash may lose marks, and a stale write"+
			" may then be admitted until the current term is announced again",
			slog.String("table", g.name), slog.String("setting", weak))
	}
	g.inspected.Store(true)
	return nil
}

// weak names the settings under which a crash loses what was committed. It is empty if there are
// none.
func (g *marks) weak(ctx context.Context) (string, error) {
	query := "SELECT concat_ws(' ', current_setting('fsync'), current_setting('full_page_writes'))"
	names := []string{"fsync", "full_page_writes"}
	switch g.speak {
	case MySQL: // without a binary log, InnoDB's log is all there is
		query = "SELECT concat_ws(' ', @@innodb_flush_log_at_trx_commit, if(@@log_bin, @@sync_binlog, 1))"
		names = []string{"innodb_flush_log_at_trx_commit", "sync_binlog"}
	case SQLite:
		query = "SELECT synchronous || ' ' || journal_mode FROM pragma_synchronous, pragma_journal_mode"
		names = []string{"synchronous", "journal_mode"}
	case PostgreSQL:
	}
	settings, err := one(ctx, g.client, query)
	if err != nil {
		return "", err
	}
	var weak []string
	for i, value := range strings.Fields(settings) {
		switch {
		case value == "off", value == "memory",
			g.speak == MySQL && value != "1", g.speak == SQLite && value == "0":
			weak = append(weak, names[i]+" = "+value)
		}
	}
	return strings.Join(weak, ", "), nil
}
