//go:build unix

package services

import (
	"net"
	"path/filepath"
	"testing"
)

// PostgresStandby runs a standby of primary, which streams from it under the name that
// synchronous_standby_names knows it by.
func PostgresStandby(tb testing.TB, primary *Server, name string) *Server {
	tb.Helper()
	host, port, err := net.SplitHostPort(primary.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	k := postgres()
	k.prepare = func(bin, dir string) [][]string {
		return [][]string{{
			filepath.Join(filepath.Dir(bin), "pg_basebackup"), "-h", host, "-p", port, "-U", "postgres", "-D", filepath.Join(dir, "data"),
			"-R", "-X", "stream", "-c", "fast", "--no-sync",
		}}
	}
	args := []string{"-c", "primary_conninfo=host=" + host + " port=" + port + " user=postgres application_name=" + name}
	k.ready = standbyReady
	return forTest(tb, k, args)
}
