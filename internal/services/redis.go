//go:build unix

package services

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
)

// Redis runs Redis for a test, with args after the usual ones of redis-server.
// It keeps nothing across [Server.Restart] unless told so: "--appendonly", "yes",
// "--appendfsync", "always". DSN is a redis:// URL.
func Redis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return forTest(tb, redis(), args)
}

// StartRedis is [Redis] without a test.
func StartRedis(ctx context.Context, args ...string) (*Server, error) {
	return start(ctx, redis(), args)
}

func redis() kind {
	return kind{
		name: "redis", user: "redis", pkg: "redis-server",
		find:    binary("redis-server"),
		prepare: func(string, string) [][]string { return nil },
		command: func(bin, dir, port string) []string {
			return []string{bin, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", ""}
		},
		ready: func(ctx context.Context, s *Server) error {
			return s.greet(ctx, "PING\r\n", func(r io.Reader) error {
				answer, err := bufio.NewReader(r).ReadBytes('\n')
				if err == nil && !bytes.HasPrefix(answer, []byte("+PONG")) {
					err = fmt.Errorf("it answers %q", answer)
				}
				return err
			})
		},
		dsn: func(addr string) string { return "redis://" + addr },
	}
}
