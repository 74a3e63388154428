//go:build unix

package main

import (
	"database/sql"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/services"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == replicaArg { // the story runs this binary again
		exit(runReplica())
	}
	os.Exit(m.Run())
}

func TestStory(t *testing.T) {
	server := services.Postgres(t)
	s := &story{dsn: server.DSN(), server: server, say: func(line string) { t.Log(line) }}
	result, err := s.run(t.Context())
	t.Log(result)
	require.NoError(t, errors.Join(err, result.verdict()))
	require.NotZero(t, result.invoices)
	require.Equal(t, result.invoices, result.charges)
	require.NotZero(t, result.refused, "no frozen replica was at the right point: the guard had nothing to do")
}

// TestAuditSeesIt: every kind of damage.
func TestAuditSeesIt(t *testing.T) {
	server := services.Postgres(t)
	for want, damage := range map[string]string{
		"were not billed: 1":              "DELETE FROM charges WHERE number = 3",
		"billed more than once: 1":        "INSERT INTO charges (number, invoice, cents, epoch) VALUES (4, 2, 100, 2)",
		"of another amount: 1":            "UPDATE charges SET cents = 1 WHERE number = 2",
		"without an invoice: 1":           "DELETE FROM invoices WHERE id = 2",
		"given twice: 1":                  "UPDATE charges SET number = 1 WHERE number = 2",
		"gaps between numbers: 1":         "UPDATE charges SET number = 4 WHERE number = 3",
		"after a later term's: 2":         "UPDATE charges SET epoch = 9 WHERE number = 1",
		"state is not the charges: 1":     "UPDATE invoices SET billed = false WHERE id = 1",
		"billed exactly once, in numbers": "",
	} {
		t.Run(want, func(t *testing.T) {
			db := open(t, server)
			for _, statement := range append(tables(),
				"INSERT INTO invoices SELECT n, 100, true FROM generate_series(1, 3) n",
				"INSERT INTO charges (number, invoice, cents, epoch) SELECT n, n, 100, 1 FROM generate_series(1, 3) n", damage) {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err, statement)
			}
			a, err := read(t.Context(), db)
			require.NoError(t, err)
			require.Contains(t, a.String(), want)
			require.Equal(t, damage == "", a.verdict() == nil)
		})
	}
}

func open(t *testing.T, server *services.Server) *sql.DB {
	t.Helper()
	db, err := openDB(server.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
