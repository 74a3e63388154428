package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/lease"
)

const markScope = "shop/invoicer"

// guards is what guards says of the one guard, and its text.
func (b *bed) guards(code int, args ...string) (mark, string) {
	b.t.Helper()
	var found marks
	args = append([]string{"guards", "invoicer"}, args...)
	out := b.exits(code, append(args, "-o", "json")...)
	require.NoError(b.t, json.Unmarshal([]byte(out), &found), out)
	require.Len(b.t, found.Marks, 1)
	return found.Marks[0], b.exits(code, args...)
}

// vacant makes a Lease with the epoch 5 that nobody holds.
func (b *bed) vacant() fencing.Token {
	const term = "9f86d081884c7d659a2feaa0c55ad015"
	b.create("invoicer", map[string]string{lease.AnnotationEpoch: "5", lease.AnnotationTerm: term})
	return fencing.Token{Scope: markScope, Epoch: 5, Term: term}
}

func token(epoch int64) fencing.Token {
	return fencing.Token{Scope: markScope, Epoch: epoch, Term: fmt.Sprintf("%032x", epoch)}
}

func TestMarksInPostgreSQL(t *testing.T) {
	server := services.Postgres(t)
	db, err := sql.Open("pgx", server.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL})
	require.NoError(t, err)

	b := newBed(t)
	now := b.vacant()
	b.env["HOTSEAT_DSN"] = server.DSN()
	m, _ := b.guards(exitProblem)
	require.Equal(t, markUnknown, m.State)
	require.Contains(t, m.Text, "hotseat_fence", "the table is not there yet")
	_, err = db.ExecContext(t.Context(), guard.Schema())
	require.NoError(t, err)
	m, text := b.guards(exitProblem)
	require.Equal(t, markNone, m.State)
	require.Contains(t, text, "PROBLEM: HOTSEAT_DSN: there is no mark")
	require.NoError(t, guard.Announce(t.Context(), token(4)))
	m, _ = b.guards(exitProblem)
	require.Equal(t, markBehind, m.State)
	require.NoError(t, guard.Announce(t.Context(), now))
	m, text = b.guards(exitFine)
	require.Equal(t, markCurrent, m.State)
	require.Regexp(t, `HOTSEAT_DSN +PostgreSQL +5 +current`, text)
	require.Contains(t, b.exits(exitError, "guards", "invoicer", "--mend", "--yes"), "no mark is too high")

	// A poisoned mark is mended by raising the Lease's epoch.
	require.NoError(t, guard.Announce(t.Context(), token(1000)))
	m, text = b.guards(exitProblem)
	require.Equal(t, markTooHigh, m.State)
	require.Equal(t, "1000", m.Epoch)
	require.Contains(t, text, "  1. kubectl annotate lease invoicer -n shop --overwrite hotseat-go.github.io/fencing-epoch=1001\n")
	require.Contains(t, b.exits(exitError, "guards", "invoicer", "--mend"), "nothing was written: repeat this with --yes")
	require.Contains(t, b.exits(exitFine, "guards", "invoicer", "--mend", "--yes"), "Raised the Lease's epoch from 5 to 1001.")
	require.Equal(t, "1001", b.record().Annotation(lease.AnnotationEpoch))
	m, _ = b.guards(exitProblem)
	require.Equal(t, markBehind, m.State, "until the next term")

	// One that is too high for that needs a person. Her steps work.
	b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "5" })
	require.NoError(t, guard.Announce(t.Context(), token(math.MaxInt64)))
	m, _ = b.guards(exitProblem)
	require.Equal(t, markTooHigh, m.State)
	require.Contains(t, b.exits(exitError, "guards", "invoicer", "--mend", "--yes"), "is too high for that")
	require.Len(t, m.Mend, 3)
	_, err = db.ExecContext(t.Context(), strings.TrimPrefix(m.Mend[1], "In SQL: "))
	require.NoError(t, err)
	m, _ = b.guards(exitFine)
	require.Equal(t, markCurrent, m.State)

	_, err = db.ExecContext(t.Context(), `UPDATE hotseat_fence SET term = 'x'`)
	require.NoError(t, err)
	m, _ = b.guards(exitProblem)
	require.Equal(t, markDamaged, m.State)
	require.Contains(t, strings.Join(m.Mend, "\n"), "UPDATE hotseat_fence SET epoch = 5, term = '"+now.Term)
}

func TestMarksInMariaDB(t *testing.T) {
	server := services.MariaDB(t)
	db, err := sql.Open("mysql", server.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.MySQL, Table: "marks"})
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), guard.Schema())
	require.NoError(t, err)
	b := newBed(t)
	require.NoError(t, guard.Announce(t.Context(), b.vacant()))
	b.env["HOTSEAT_DSN"] = "mysql://" + server.DSN()
	m, text := b.guards(exitFine, "--table", "marks")
	require.Equal(t, markCurrent, m.State)
	require.Regexp(t, `HOTSEAT_DSN +MariaDB +5 +current`, text)
}

func TestMarksInRedis(t *testing.T) {
	server := services.Redis(t)
	options, err := redis.ParseURL(server.DSN())
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })

	b := newBed(t)
	now := b.vacant()
	b.env["LEDGER"] = server.DSN()
	flags := []string{"--dsn-env", "LEDGER"}
	m, _ := b.guards(exitProblem, flags...)
	require.Equal(t, markNone, m.State)
	require.NoError(t, client.Set(t.Context(), "{invoicer}:mark", now.String(), 0).Err())
	m, _ = b.guards(exitFine, flags...)
	require.Equal(t, markCurrent, m.State)
	require.NoError(t, client.Set(t.Context(), "{invoicer}:mark", "nonsense", 0).Err())
	m, _ = b.guards(exitProblem, flags...)
	require.Equal(t, markDamaged, m.State)
	require.Contains(t, m.Mend[1], "DEL '{invoicer}:mark'")
	m, _ = b.guards(exitProblem, "--dsn-env", "LEDGER", "--key", "{invoicer}:other")
	require.Equal(t, markNone, m.State)
}

// Neither an error nor anything else shows a DSN or a password.
func TestDSNsAreNotShown(t *testing.T) {
	b := newBed(t)
	b.vacant()
	for _, dsn := range []string{
		"postgres://me:hunter2@127.0.0.1:1/db", "postgres://me:hunter2@127.0.0.1:port/db",
		"mysql://me:hunter2@tcp(127.0.0.1:1)/db", "mysql://me:hunter2@tcp(127.0.0.1:1", "redis://me:hunter2@127.0.0.1:1",
		"redis://me:hunter2@127.0.0.1:1/nonsense", "hunter2",
	} {
		b.env["HOTSEAT_DSN"] = dsn
		r := b.run("guards", "invoicer")
		require.NotEqual(t, exitFine, r.code, dsn)
		require.NotContains(t, r.stdout+r.stderr, "hunter2")
		require.Contains(t, r.stdout+r.stderr, "HOTSEAT_DSN")
	}
	b.env["HOTSEAT_DSN"] = ""
	require.Contains(t, b.exits(exitError, "guards", "invoicer"), "$HOTSEAT_DSN is empty")
}
