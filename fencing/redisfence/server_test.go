//go:build unix

package redisfence_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// TestRefusedConnection: what could not be sent did not happen, and is no write that nobody knows of.
func TestRefusedConnection(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	k := newKeys(listener.Addr().String(), 0)
	require.NoError(t, listener.Close())
	once := redis.NewClient(&redis.Options{Addr: k.addr, PoolSize: 1, PoolTimeout: 10 * time.Millisecond})
	closed := redis.NewClient(&redis.Options{Addr: k.addr})
	require.NoError(t, closed.Close())
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{k.addr}})
	t.Cleanup(func() { require.NoError(t, once.Close()); require.NoError(t, cluster.Close()) })
	for name, f := range map[string]*redisfence.Guard{
		"a client": k.guard(t, once, open), "a closed one": k.guard(t, closed, open), "of a cluster": k.guard(t, cluster, open),
	} {
		for range 3 {
			err := f.Set(t.Context(), one, k.value(), "a")
			require.ErrorIs(t, err, fencing.ErrUnavailable, name)
			require.NotErrorIs(t, err, redisfence.ErrUnknown, name)
			require.ErrorIs(t, f.Announce(t.Context(), one), fencing.ErrUnavailable, name)
		}
	}
}

// TestPoolWithoutAFreeConnection: nor did what waited for a connection in vain.
func TestPoolWithoutAFreeConnection(t *testing.T) {
	k := newKeys(server(t), 0)
	client := redis.NewClient(&redis.Options{Addr: k.addr, PoolSize: 1, PoolTimeout: 20 * time.Millisecond})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	conn := client.Conn()
	require.NoError(t, conn.Ping(t.Context()).Err())
	err := k.guard(t, client, open).Set(t.Context(), one, k.value(), "a")
	require.ErrorIs(t, err, redis.ErrPoolTimeout)
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.NotErrorIs(t, err, redisfence.ErrUnknown)
	require.NoError(t, conn.Close())
	require.NoError(t, k.guard(t, client, open).Set(t.Context(), one, k.value(), "a"))
}

// TestEviction: a server that may throw the mark out is refused by the first announcement, before anybody works.
func TestEviction(t *testing.T) {
	s := newSingle(t, server(t))
	policy := func(p string) { require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory-policy", p).Err()) }
	for _, p := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random"} {
		policy(p)
		for range 2 {
			err := s.guard(t, s.client, open).Announce(t.Context(), one)
			require.ErrorIs(t, err, fencing.ErrWiring)
			require.NotErrorIs(t, err, fencing.ErrUnavailable)
			require.ErrorContains(t, err, `the server may evict the mark: maxmemory-policy is "`+p+`"`)
		}
		require.Zero(t, s.client.Exists(t.Context(), s.mark()).Val())
	}
	for _, p := range []string{"volatile-lru", "volatile-ttl", "noeviction"} {
		policy(p)
		require.NoError(t, s.guard(t, s.client, open).Announce(t.Context(), one))
	}
	f := s.guard(t, s.client, open)
	require.NoError(t, f.Announce(t.Context(), one))
	policy("allkeys-lru") // under a term: it is not what ends one
	require.NoError(t, f.Announce(t.Context(), two))
	require.NoError(t, f.Set(t.Context(), two, s.key("s"), "a"))
}

// TestOnce: go-redis repeats commands by default; a script runs once at most, and
// once if it was answered.
func TestOnce(t *testing.T) {
	k := newKeys(server(t), 6)
	f := k.guard(t, k.redis(t), open)
	const calls = 300
	unknown := 0
	answered := make([]bool, calls)
	for i := range calls {
		_, err := f.Do(t.Context(), one, "return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)", []string{k.value()}, []string{fmt.Sprint(i)})
		answered[i] = err == nil
		if err != nil {
			require.ErrorIs(t, err, redisfence.ErrUnknown)
			unknown++
		}
	}
	require.NotZero(t, unknown, "nothing was lost")
	k.odds = 0
	times := k.redis(t).HGetAll(t.Context(), k.value()).Val()
	for i := range calls {
		switch n := times[fmt.Sprint(i)]; {
		case answered[i]:
			require.Equal(t, "1", n, "call %d of %d", i, calls)
		case n != "":
			require.Equal(t, "1", n, "call %d of %d, whose answer was lost", i, calls)
		}
	}
}

// TestReplica: a replica's mark may be old, so it answers nothing.
func TestReplica(t *testing.T) {
	primary := server(t)
	host, port, _ := strings.Cut(primary, ":")
	replica := server(t, "--replicaof", host, port)
	k := newKeys(primary, 0)
	require.NoError(t, k.guard(t, k.redis(t), open).Announce(t.Context(), one))
	k.addr = replica
	client := k.redis(t)
	require.Eventually(t, func() bool { return client.Get(t.Context(), k.mark()).Val() == one.String() }, time.Minute, 20*time.Millisecond)
	f := k.guard(t, client, open)
	_, err := f.Mark(t.Context(), guardtest.Scope)
	for _, err := range []error{err, f.Check(t.Context(), one), f.Announce(t.Context(), one), f.Announce(t.Context(), two)} {
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorContains(t, err, "READONLY")
	}
	require.ErrorContains(t, f.Set(t.Context(), one, k.value(), "a"), "READONLY")
}

// TestOutOfMemory: the check is no way around maxmemory, and a write that is refused
// for it moves no mark.
func TestOutOfMemory(t *testing.T) {
	s := newSingle(t, server(t, "--maxmemory-policy", "noeviction"))
	require.NoError(t, s.Set(t.Context(), one, s.key("s"), "a"))
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.ErrorContains(t, s.Set(t.Context(), two, s.key("s"), "b"), "OOM")
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	s.marked(t, one)
	require.Equal(t, "a", s.client.Get(t.Context(), s.key("s")).Val())
}
