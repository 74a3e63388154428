//go:build unix

package redisfence_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/fencing/redisfence/goredis"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/services"
)

// keys of one resource on a server that tests share.
type keys struct {
	addr string
	tag  string
	odds int // of losing a connection
}

func newKeys(addr string, odds int) keys { return keys{addr, "{" + rand.Text() + "}", odds} }

func (k keys) mark() string  { return k.tag + ":mark" }
func (k keys) value() string { return k.tag + ":value" }

func (k keys) redis(t testing.TB) *redis.Client {
	addr := k.addr
	if k.odds > 0 {
		addr = guardtest.NewLink(t, addr, k.odds).Addr()
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: 2 * time.Second})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func (k keys) guard(t testing.TB, client goredis.Client, gate func()) *redisfence.Guard {
	f, err := k.parked(client, gate)
	require.NoError(t, err)
	return f
}

func (k keys) parked(client goredis.Client, gate func()) (*redisfence.Guard, error) {
	return redisfence.New(gated{goredis.Eval(client), gate}, redisfence.Config{Scope: guardtest.Scope, Key: k.mark()})
}

// gated parks scripts before they are sent: check and effect are one step to the
// server, so that is where a write can wait.
type gated struct {
	redisfence.Evaler
	gate func()
}

func (g gated) Eval(ctx context.Context, script string, keys, args []string) (any, error) {
	g.gate()
	return g.Evaler.Eval(ctx, script, keys, args)
}

func open() {}

func (k keys) Client(t testing.TB) guardtest.Client {
	client := k.redis(t)
	return &register{k.guard(t, client, open), k, client}
}

type register struct {
	*redisfence.Guard
	keys   keys
	client *redis.Client
}

func (r *register) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	f, err := r.keys.parked(r.client, between)
	if err != nil {
		return err
	}
	return f.Set(ctx, t, r.keys.value(), value)
}

func (r *register) Read(ctx context.Context) (string, error) {
	value, err := r.client.Get(ctx, r.keys.value()).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return value, err
}

func server(t testing.TB, args ...string) string {
	return strings.TrimPrefix(services.Redis(t, args...).DSN(), "redis://")
}

// TestGuard: what every guard must keep, on a real server, over connections that
// are lost.
func TestGuard(t *testing.T) {
	addr := server(t)
	suite := func(odds int) guardtest.Suite {
		return guardtest.Suite{
			New: func(testing.TB) guardtest.Subject { return newKeys(addr, odds) },
			Damage: func(t testing.TB, s guardtest.Subject, text string) {
				k := s.(keys)
				mark := guardtest.Scope + "@" + text + "." + guardtest.Token(5, 0).Term
				require.NoError(t, k.redis(t).Set(t.Context(), k.mark(), mark, 0).Err())
			},
		}
	}
	t.Run("Conformance", suite(0).Conformance)
	t.Run("Linearizable", func(t *testing.T) { suite(30).Linearizable(t, guardtest.Load{}) })
	hammer := 30 * time.Second
	if testing.Short() {
		hammer = 3 * time.Second
	}
	t.Run("Hammer", func(t *testing.T) { suite(0).Hammer(t, hammer) })
}

var one, two = guardtest.Token(1, 0), guardtest.Token(2, 0)

// single is a resource of its own with a client without losses.
type single struct {
	keys
	*redisfence.Guard
	client *redis.Client
}

func newSingle(t *testing.T, addr string) single {
	k := newKeys(addr, 0)
	client := k.redis(t)
	return single{k, k.guard(t, client, open), client}
}

func (s single) key(name string) string { return s.tag + ":" + name }

func (s single) marked(t *testing.T, want fencing.Token) {
	t.Helper()
	mark, err := s.Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.Equal(t, want, mark)
}

func TestWrites(t *testing.T) {
	addr := server(t)
	ctx := t.Context()

	t.Run("each kind", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Set(ctx, one, s.key("s"), "a"))
		require.NoError(t, s.HSet(ctx, one, s.key("h"), "f", "1", "g", "2"))
		require.Equal(t, map[string]string{"f": "1", "g": "2"}, s.client.HGetAll(ctx, s.key("h")).Val())
		result, err := s.Do(ctx, two, "return redis.call('INCRBY', KEYS[1], ARGV[1]) -- no newline", []string{s.key("n")}, []string{"7"})
		require.NoError(t, err)
		require.Equal(t, int64(7), result)
		s.marked(t, two)

		for _, err := range []error{
			s.Set(ctx, one, s.key("s"), "stale"), s.HSet(ctx, one, s.key("h"), "f", "stale"), second(s.Del(ctx, one, s.key("s"), s.key("h"))),
			second(s.Do(ctx, one, "return redis.call('INCR', KEYS[1])", []string{s.key("n")}, nil)),
		} {
			var stale *fencing.StaleError
			require.ErrorAs(t, err, &stale)
			require.Equal(t, fencing.StaleError{Presented: one, Mark: two}, *stale)
		}
		n, err := s.Del(ctx, two, s.key("s"), s.key("h"), s.key("missing"))
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		require.Equal(t, "7", s.client.Get(ctx, s.key("n")).Val())

		require.ErrorContains(t, s.HSet(ctx, two, s.key("h"), "f"), "are not pairs")
		result, err = s.Do(ctx, two, "", nil, nil)
		require.NoError(t, err)
		require.Nil(t, result)
	})

	t.Run("a write that fails moves no mark", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Set(ctx, one, s.key("s"), "a"))
		err := s.HSet(ctx, two, s.key("s"), "f", "1")
		require.ErrorContains(t, err, "WRONGTYPE")
		require.NotErrorIs(t, err, redisfence.ErrUnknown)
		require.NotErrorIs(t, err, fencing.ErrUnavailable)
		s.marked(t, one)
		_, err = s.Do(ctx, two, "this is no Lua", nil, nil)
		require.Error(t, err)
		s.marked(t, one)
		_, err = s.Do(ctx, two, "return redis.pcall('INCR', KEYS[1])", []string{s.key("s")}, nil)
		require.ErrorContains(t, err, "not an integer")
		s.marked(t, one)
	})

	t.Run("a body moves no mark", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Announce(ctx, two))
		for _, body := range []string{"raises, epoch = true, '1'", "raises, scope = true, 'shop/other@'", "mark = nil"} {
			_, err := s.Do(ctx, two, body, nil, nil)
			require.Error(t, err, "%s: what is not declared is a global, which Redis refuses", body)
			s.marked(t, two)
		}
	})

	t.Run("a user without the rights is found out by the announcement", func(t *testing.T) {
		s := newSingle(t, addr)
		acl := []any{"ACL", "SETUSER", "limited", "on", ">secret", "~*", "+hello", "+client", "+eval", "+evalsha", "+get", "+set"}
		require.NoError(t, s.client.Do(ctx, acl...).Err())
		limited := redis.NewClient(&redis.Options{Addr: addr, Username: "limited", Password: "secret"})
		t.Cleanup(func() { require.NoError(t, limited.Close()) })
		err := s.guard(t, limited, open).Announce(ctx, one)
		require.ErrorIs(t, err, fencing.ErrWiring)
		require.NotErrorIs(t, err, fencing.ErrUnavailable)
		// All that is documented, and no INFO: what evicts is not seen then.
		require.NoError(t, s.client.Do(ctx, append(acl, "+persist")...).Err())
		require.NoError(t, s.guard(t, limited, open).Announce(ctx, one))
	})

	t.Run("keys in other slots are not sent", func(t *testing.T) {
		s := newSingle(t, addr)
		for _, key := range []string{"", "k", "{}" + s.tag, "{other}:k", s.mark(), "x{" + s.tag} {
			require.ErrorContains(t, s.Set(ctx, one, key, "a"), "hash tag", key)
		}
		require.NoError(t, s.Set(ctx, one, "before:"+s.tag+":after{x}", "a"))
		s.marked(t, one)
	})

	t.Run("a mark of another kind or scope", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.client.LPush(ctx, s.mark(), "x").Err())
		require.ErrorIs(t, s.Announce(ctx, one), fencing.ErrUnavailable)
		_, err := s.Mark(ctx, guardtest.Scope)
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.ErrorContains(t, s.Set(ctx, one, s.key("s"), "a"), "WRONGTYPE")

		for _, scope := range []string{"shop/other", "shop/invoices"} { // one as long as ours
			foreign := fencing.Token{Scope: scope, Epoch: 1, Term: one.Term}.String()
			require.NoError(t, s.client.Set(ctx, s.mark(), foreign, 0).Err())
			_, err = s.Mark(ctx, guardtest.Scope)
			for _, err := range []error{err, s.Announce(ctx, two), s.Set(ctx, two, s.key("s"), "a")} {
				require.ErrorIs(t, err, fencing.ErrUnavailable)
				require.ErrorIs(t, err, fencing.ErrScope)
			}
			_, err = s.Mark(ctx, scope)
			require.ErrorIs(t, err, fencing.ErrScope)
			require.Equal(t, foreign, s.client.Get(ctx, s.mark()).Val())
		}
	})

	t.Run("a time to live does not end a mark", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Announce(ctx, one))
		for _, touch := range []func() error{
			func() error { return s.Check(ctx, one) },
			func() error { return s.Set(ctx, one, s.key("s"), "a") },
			func() error { return second(s.Mark(ctx, guardtest.Scope)) },
			func() error { return s.Announce(ctx, two) },
		} {
			require.NoError(t, s.client.Expire(ctx, s.mark(), time.Hour).Err())
			require.NoError(t, touch())
			require.Equal(t, time.Duration(-1), s.client.TTL(ctx, s.mark()).Val())
		}
	})

	t.Run("without a token where that is allowed", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Announce(ctx, two))
		allowed := fencing.AllowUnfenced(ctx, "test")
		require.NoError(t, s.Set(allowed, fencing.Token{}, s.key("s"), "a"))
		require.NoError(t, s.Check(allowed, fencing.Token{}))
		require.ErrorIs(t, s.Announce(allowed, fencing.Token{}), fencing.ErrMissing)
		require.ErrorIs(t, s.Set(allowed, one, s.key("s"), "b"), fencing.ErrStale)
		require.ErrorIs(t, s.Set(ctx, fencing.Token{}, s.key("s"), "b"), fencing.ErrMissing)
		require.Equal(t, "a", s.client.Get(ctx, s.key("s")).Val())
		s.marked(t, two)
	})

	t.Run("refusals are reported", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Announce(ctx, two))
		var reports []error
		ctx := fencing.WithReporter(ctx, func(err error) { reports = append(reports, err) })
		want := []error{s.Check(ctx, one), s.Set(ctx, one, s.key("s"), "a")}
		require.Equal(t, want, reports)
	})

	t.Run("the server forgets its scripts", func(t *testing.T) {
		s := newSingle(t, addr)
		require.NoError(t, s.Set(ctx, one, s.key("s"), "a"))
		require.NoError(t, s.client.ScriptFlush(ctx).Err())
		require.NoError(t, s.Set(ctx, one, s.key("s"), "b"))
		require.Equal(t, "b", s.client.Get(ctx, s.key("s")).Val())
	})
}

func second[T any](_ T, err error) error { return err }
