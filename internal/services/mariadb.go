//go:build unix

package services

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"
)

// MariaDB runs MariaDB for a test, with args after the usual ones of mariadbd.
// DSN is for go-sql-driver/mysql; the database is hotseat.
func MariaDB(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return forTest(tb, mariaDB(), args)
}

// StartMariaDB is [MariaDB] without a test.
func StartMariaDB(ctx context.Context, args ...string) (*Server, error) {
	return start(ctx, mariaDB(), args)
}

func mariaDB() kind {
	return kind{
		name: "mariadb", user: "mysql", pkg: "mariadb-server",
		find: binary("mariadbd"),
		prepare: func(_, dir string) [][]string {
			install, ok := binary("mariadb-install-db")()
			if !ok {
				install = "mariadb-install-db" // its absence is then the error
			}
			return [][]string{{
				install, "--no-defaults", "--datadir=" + filepath.Join(dir, "data"),
				"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M",
			}}
		},
		files: map[string]string{ // the server runs it before it accepts anybody
			"setup.sql": "CREATE DATABASE IF NOT EXISTS hotseat;\n" +
				"CREATE USER IF NOT EXISTS hotseat@'127.0.0.1';\nGRANT ALL ON *.* TO hotseat@'127.0.0.1' WITH GRANT OPTION;\n",
		},
		command: func(bin, dir, port string) []string {
			return []string{
				bin, "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--init-file=" + filepath.Join(dir, "setup.sql"),
				"--bind-address=127.0.0.1", "--port=" + port, "--socket=" + filepath.Join(dir, "socket"), "--skip-name-resolve",
				"--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M", "--max-connect-errors=1000000",
			}
		},
		ready: func(ctx context.Context, s *Server) error {
			return s.greet(ctx, "", func(r io.Reader) error {
				greeting := make([]byte, 5) // length, number, version of the protocol, or 255 for an error
				if _, err := io.ReadFull(r, greeting); err != nil {
					return err
				}
				if greeting[4] != 10 {
					return fmt.Errorf("it greets with %v", greeting)
				}
				return nil
			})
		},
		dsn: func(addr string) string { return "hotseat@tcp(" + addr + ")/hotseat" },
	}
}
