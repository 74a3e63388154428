package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

func contains(texts []string, part string) bool {
	return strings.Contains(strings.Join(texts, "\n"), part)
}

func TestErrors(t *testing.T) {
	b := newBed(t)
	b.create("invoicer", nil)
	for _, tt := range []struct{ args, want string }{
		{"status invoiser", "there is no Lease invoiser in namespace shop"},
		{"handover invoiser", "there is no Lease invoiser in namespace shop"},
		{"handover invoicer", "nobody holds the Lease shop/invoicer"},
		{"fence invoicer --yes", "nobody holds the Lease shop/invoicer"},
		{"handover", "one Lease must be named, not 0"},
		{"fence a b", "one Lease must be named, not 2"},
		{"status a b", "at most one Lease can be named, not 2"},
		{"status --look -1s", "--look is -1s, must not be negative"},
		{"status -o yaml", `--output is "yaml", must be json or empty`},
		{"status --colour", "unknown flag: --colour"},
		{"status --request-timeout 0s", "--request-timeout is 0s, must be above 0"},
		{"status --context none", `context "none" does not exist`},
		{"handover invoicer --timeout 0s", "--answer and --timeout must be above 0"},
		{"statis", `there is no command "statis"`},
	} {
		require.Contains(t, b.exits(exitError, strings.Fields(tt.args)...), tt.want, tt.args)
	}
	require.Contains(t, b.exits(exitFine, "help"), "Commands:")
	require.Contains(t, b.exits(exitFine, "status", "--help"), "--look duration")
	b.kubeconfig = filepath.Join(t.TempDir(), "none")
	require.Contains(t, b.exits(exitError, "status"), "read the kubeconfig: ")
}

func TestAPIServerAway(t *testing.T) {
	b := newBed(t)
	b.server.Link(anonymous).Inject(apiserver.Fault{HangRequest: true})
	require.Contains(t, b.exits(exitError, "status", "--request-timeout", "300ms"),
		"does not answer within 300ms (--request-timeout)")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	b.use("http://" + closed.Addr().String())
	require.Contains(t, b.exits(exitError, "status"), "the API server at "+b.url+" cannot be reached: ")
}

// An API server that answers slowly is a problem of its own.
func TestSlowAPIServer(t *testing.T) {
	b := newBed(t)
	b.active(0)
	b.server.Link(anonymous).Inject(apiserver.Fault{DelayBefore: 1200 * time.Millisecond})
	found, e := b.status(exitProblem, alone, "--look", "1100ms")
	require.True(t, contains(found.Problems, "the API server is slow: each answer took "))
	require.Empty(t, e.Problems)
	require.Positive(t, e.Renewal.Seen, "the watch opens late, and is open for as long as was asked")
}
