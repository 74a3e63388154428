//go:build unix

package services

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Postgres runs PostgreSQL for a test, with args after the usual ones of the
// postgres command: "-c", "max_connections=200". DSN is for pgx; the database
// is postgres.
func Postgres(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return forTest(tb, postgres(), args)
}

// StartPostgres is [Postgres] without a test. The error is [ErrMissing] when it is not
// there and may not be installed.
func StartPostgres(ctx context.Context, args ...string) (*Server, error) {
	return start(ctx, postgres(), args)
}

func postgres() kind {
	return kind{
		name: "postgres", user: "postgres", pkg: "postgresql",
		find: findPostgres,
		prepare: func(bin, dir string) [][]string {
			return [][]string{{
				filepath.Join(filepath.Dir(bin), "initdb"), "-D", filepath.Join(dir, "data"),
				"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
			}}
		},
		command: func(bin, dir, port string) []string {
			return []string{
				bin, "-D", filepath.Join(dir, "data"), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			}
		},
		ready: postgresReady,
		dsn:   func(addr string) string { return "postgres://postgres@" + addr + "/postgres?sslmode=disable" },
	}
}

// findPostgres returns the newest that is installed.
func findPostgres() (string, bool) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		bin, ok := binary("postgres")()
		if target, err := filepath.EvalSymlinks(bin); ok && err == nil {
			bin = target // initdb is beside it
		}
		return bin, ok
	}
	major := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) }), true
}

// postgresReady reads what the server says about itself in its pid file: its
// port is open before it answers.
func postgresReady(_ context.Context, s *Server) error { return pidFileSays(s, "ready") }

func standbyReady(_ context.Context, s *Server) error {
	if pidFileSays(s, "ready") == nil { // it was promoted
		return nil
	}
	return pidFileSays(s, "standby")
}

func pidFileSays(s *Server, word string) error {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 8 || lines[0] != strconv.Itoa(s.PID()) || strings.TrimSpace(lines[7]) != word {
		return fmt.Errorf("its pid file is %q", text)
	}
	return nil
}
