package main

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing/sqlfence"
	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// The commands of the guide's page do what it says.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../internal/docs/guide/inspect.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^(HOTSEAT_DSN=\S+ )?kubectl hotseat (.*)$`).FindAllStringSubmatch(string(page), -1)
	require.GreaterOrEqual(t, len(commands), 7)
	for _, command := range commands {
		t.Run(command[2], func(t *testing.T) {
			b := newBed(t)
			first := b.active(0)
			second := b.start("b", 0)
			b.pod("a", true)
			b.pod("b", true)
			waitForCandidates(t, b, "b")
			pages := map[string]http.Handler{
				"a": statuspage.Handler(first.elector), "b": statuspage.Handler(second.elector),
			}
			b.proxied(pages)
			of := func(pod string) string {
				server := httptest.NewServer(pages[pod])
				t.Cleanup(server.Close)
				return server.URL
			}
			if command[1] != "" {
				b.env["HOTSEAT_DSN"] = b.announced()
			}
			args := strings.Fields(strings.NewReplacer("<pod>", "b", "http://127.0.0.1:8081", of("a"),
				"http://127.0.0.1:8082", of("b")).Replace(command[2]))
			ctx := t.Context()
			if args[0] == "watch" { // it ends with its context only
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
			}
			var out bytes.Buffer
			require.Equal(t, exitFine, b.runTo(ctx, &out, &out, args...), &out)
		})
	}
}

// announced is the DSN of a database with a guard that knows the current token.
func (b *bed) announced() string {
	server := services.Postgres(b.t)
	db, err := sql.Open("pgx", server.DSN())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, db.Close()) })
	guard, err := sqlfence.New(sqlfence.Config{DB: db, Dialect: sqlfence.PostgreSQL, Scope: markScope})
	require.NoError(b.t, err)
	_, err = db.ExecContext(b.t.Context(), guard.Schema())
	require.NoError(b.t, err)
	token, held := b.record().Token()
	require.True(b.t, held)
	require.NoError(b.t, guard.Announce(b.t.Context(), token))
	return server.DSN()
}
