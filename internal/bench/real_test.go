package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One handover on the real API server, so that the sections on it are known to
// run: what they measure is the command's.
func TestHandoverOnTheRealServer(t *testing.T) {
	s := startServer(t)
	all := handoverRun{leases: 1, rounds: 1}.compare(t, s, 1)
	for _, times := range []spread{all.floor, all.our, all.theirs} {
		require.Len(t, times, 1)
		require.Positive(t, times.min())
	}
	seen := s.requests(t)
	require.GreaterOrEqual(t, seen.count(request.write), 3*(2+2), "two terms each, acquired and released")
	require.Positive(t, seen.count(request.watch))
	require.Positive(t, s.served(t).etcd)
	require.Equal(t, 3, seen.count(func(r request) bool { return r.verb == "create" && r.user == "admin" }))
	require.Equal(t, 3, seen.count(func(r request) bool { return r.user != "replica" }), "the Leases' creation")
}
