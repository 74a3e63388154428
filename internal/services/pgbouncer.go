//go:build unix

package services

import (
	"net"
	"testing"
)

// PgBouncer runs a pooler before a PostgreSQL, in transaction mode and with one connection to it,
// so that its clients take turns on that. DSN is for pgx, which must prepare nothing there.
func PgBouncer(tb testing.TB, before *Server) *Server {
	tb.Helper()
	return forTest(tb, pgBouncer(before), nil)
}

func pgBouncer(before *Server) kind {
	host, port, _ := net.SplitHostPort(before.Addr())
	return kind{
		name: "pgbouncer", user: "postgres", pkg: "pgbouncer",
		find: binary("pgbouncer"),
		files: map[string]string{
			"users.txt": `"postgres" ""` + "\n",
			"template.ini": `[databases]
postgres = host=` + host + ` port=` + port + ` dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = PORT
unix_socket_dir =
auth_type = trust
auth_file = users.txt
pool_mode = transaction
default_pool_size = 1
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
`,
		},
		prepare: func(string, string) [][]string { return nil },
		command: func(bin, _, port string) []string { // its port can be given in a file only
			return []string{"sh", "-c", `sed "s/PORT/$1/" template.ini > pgbouncer.ini && exec "$2" pgbouncer.ini`, "sh", port, bin}
		},
		ready: accepts,
		dsn: func(addr string) string {
			return "postgres://postgres@" + addr + "/postgres?sslmode=disable&default_query_exec_mode=exec"
		},
	}
}
