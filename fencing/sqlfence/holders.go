package sqlfence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// lookEvery is how often a waiting successor looks at the sessions that it waits for.
const lookEvery = 250 * time.Millisecond

// consent is the first part of an advisory lock in PostgreSQL. With this lock a transaction agrees
// to be ended if its client stands still. The second part says after how many milliseconds. No
// setting of a session ends a COPY whose client sends no more.
const consent = 1751217008 // "hotp"

// watch follows a transaction that is about to wait for the exclusive lock, and ends the sessions
// that it has waited for too long. It looks over another connection. If the waiting transaction
// itself looked, it would lose its place in the queue, and transactions of the older term would get
// ahead of it. stop ends the watch.
func (g *marks) watch(ctx context.Context, tx Session, scope string) (stop func(), _ error) {
	if g.speak == SQLite || g.speak == MySQL && g.hold == 0 {
		return func() {}, nil
	}
	w := &watcher{marks: g, scope: scope, since: time.Now(), still: map[int64]stillness{}}
	if g.speak == MySQL {
		var err error
		if w.self, err = one(ctx, tx, "SELECT CONNECTION_ID()"); err != nil {
			return nil, g.unavailable("begin", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return func() { cancel(); <-done }, nil
}

type watcher struct {
	*marks
	scope string
	self  string // the connection that waits; MySQL's
	since time.Time
	still map[int64]stillness // by session
}

// stillness is what a session does, and since when it was seen to do just that.
type stillness struct {
	what  string
	since time.Time
}

// holder is a session that the successor waits for.
type holder struct {
	session int64
	limit   time.Duration // that the session set itself; 0 for none
	what    string        // what it does; "" if it does not wait for its client
}

func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		holders, err := w.holders(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.LogAttrs(ctx, slog.LevelWarn,
				"sqlfence: cannot tell whose transactions a newer term waits for",
				slog.String("scope", w.scope), slog.Any("error", err))
			return
		}
		for _, h := range holders {
			if w.mustEnd(h) {
				w.end(ctx, h)
			}
		}
	}
}

func (w *watcher) mustEnd(h holder) bool {
	if last, ok := w.still[h.session]; h.what == "" || !ok || last.what != h.what {
		w.still[h.session] = stillness{h.what, time.Now()}
	}
	return w.hold > 0 && time.Since(w.since) >= w.hold ||
		h.limit > 0 && h.what != "" && time.Since(w.still[h.session].since) >= h.limit
}

func (w *watcher) end(ctx context.Context, h holder) {
	// It ends the session only if that still holds a lock.
	statement := fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_locks"+
		" WHERE pid = %d AND locktype = 'advisory' AND granted LIMIT 1", h.session)
	if w.speak == MySQL {
		statement = fmt.Sprintf("KILL CONNECTION %d", h.session)
	}
	_, err := w.client.Exec(ctx, statement)
	if ctx.Err() != nil {
		return // it may have ended by itself
	}
	w.log.LogAttrs(ctx, slog.LevelWarn, "sqlfence: ended a session that held up a newer term",
		slog.String("scope", w.scope), slog.Int64("session", h.session),
		slog.Duration("waited", time.Since(w.since)), slog.Any("error", err))
}

func (w *watcher) holders(ctx context.Context) ([]holder, error) {
	query := w.postgresHolders()
	if w.speak == MySQL {
		query = fmt.Sprintf("SELECT b.trx_mysql_thread_id, 0, '' "+
			"FROM information_schema.innodb_lock_waits w "+
			"JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id "+
			"JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id "+
			"WHERE r.trx_mysql_thread_id = %s", w.self)
	}
	rows, err := w.client.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	var all []holder
	for _, row := range rows {
		session, wrong := strconv.ParseInt(words(row[0]), 10, 64)
		ms, wrongLimit := strconv.ParseInt(words(row[1]), 10, 64)
		if err := errors.Join(wrong, wrongLimit); err != nil {
			return nil, err
		}
		all = append(all, holder{session, time.Duration(ms) * time.Millisecond, words(row[2])})
	}
	return all, nil
}

// postgresHolders finds the sessions of this user that hold the shared lock, and the limit that
// each agreed to. If a session waits for its client, its third column identifies the wait: a COPY
// that goes on has other numbers each time.
func (w *watcher) postgresHolders() string {
	return fmt.Sprintf(`SELECT l.pid, coalesce((SELECT min(c.objid::bigint) FROM pg_locks c
		WHERE c.pid = l.pid AND c.locktype = 'advisory' AND c.objsubid = 2 AND c.classid = %d), 0),
	CASE WHEN a.wait_event_type = 'Client'
		THEN concat_ws(' ', a.backend_start, a.xact_start, a.query_start, a.state_change,
		(SELECT p.bytes_processed FROM pg_stat_progress_copy p WHERE p.pid = l.pid)) ELSE '' END
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 1
	AND a.usename = current_user
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND (l.classid::bigint << 32 | l.objid::bigint) = (%s)`, consent, w.advisory(w.scope))
}
