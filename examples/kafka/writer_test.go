package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/examples/kafka"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// What the recipe stands on, asked of the double: an init fences the older producer and aborts its transaction, and
// read_committed does not show that. And what it cannot stand on: the order is that of the inits.
func TestDoubleFencesByInit(t *testing.T) {
	cluster := newCluster(t)
	producer := func() *kgo.Client {
		c, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID("bare"), kgo.ProducerLinger(0))
		require.NoError(t, err)
		t.Cleanup(c.Close)
		require.NoError(t, c.BeginTransaction())
		return c
	}
	current := producer()
	require.NoError(t, current.ProduceSync(t.Context(), record("current")).FirstErr())
	late := producer()
	require.NoError(t, late.ProduceSync(t.Context(), record("late, stale")).FirstErr(), "the late init wins, whatever its term")
	err := current.ProduceSync(t.Context(), record("current")).FirstErr()
	require.True(t, errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced), "%v", err)
	require.Error(t, current.EndTransaction(t.Context(), kgo.TryCommit))
	require.NoError(t, late.EndTransaction(t.Context(), kgo.TryCommit))
	require.Equal(t, []string{"late, stale"}, committed(t, cluster))
}

// The stale active is in the middle of its transaction when its successor is announced.
func TestSuccessorAbortsOpenTransaction(t *testing.T) {
	cluster := newCluster(t)
	older, newer := guardtest.Token(1, 0), guardtest.Token(2, 0)
	stale, successor := newWriter(t, cluster), newWriter(t, cluster)
	err := stale.Transact(t.Context(), older, produce(func() {
		require.NoError(t, successor.Announce(t.Context(), newer))
	}, "stale"))
	require.ErrorIs(t, err, kafka.ErrUnknown, "a commit that was fenced may be the repetition of one that was not")
	require.NotErrorIs(t, err, fencing.ErrStale)
	require.NoError(t, successor.Transact(t.Context(), newer, produce(nothing, "current")))
	require.ErrorIs(t, stale.Transact(t.Context(), older, produce(nothing, "again")), fencing.ErrStale)
	require.Equal(t, []string{"current"}, committed(t, cluster))

	all, err := consume(t.Context(), kgo.ReadUncommitted(), kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	require.Len(t, all, 2, "read_uncommitted sees the aborted one as well")
}

// A bare producer with the transactional.id initializes after the current one, as a stale active does in the worst case. The
// current one loses a transaction, reads that the mark is still its own, and does it again.
func TestLateInitDoesNotEndTheCurrent(t *testing.T) {
	cluster := newCluster(t)
	token := guardtest.Token(2, 0)
	current := newWriter(t, cluster)
	require.NoError(t, current.Announce(t.Context(), token))
	late, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID(guardtest.Scope))
	require.NoError(t, err)
	defer late.Close()
	_, _, err = late.ProducerID(t.Context())
	require.NoError(t, err)
	require.NoError(t, current.Transact(t.Context(), token, produce(nothing, "current")))
	require.Equal(t, []string{"current"}, committed(t, cluster))

	stale := newWriter(t, cluster) // a new process of the older term: no memory of the mark
	require.ErrorIs(t, stale.Transact(t.Context(), guardtest.Token(1, 0), produce(nothing, "stale")), fencing.ErrStale)
	require.NoError(t, current.Transact(t.Context(), token, produce(nothing, "more")))
	require.Equal(t, []string{"current", "more"}, committed(t, cluster))
}

// onClient calls f when the nth client is made: the first looks at the mark, the second is the producer.
type onClient struct {
	n int
	f func()
}

func (h *onClient) OnNewClient(*kgo.Client) {
	if h.n--; h.n == 0 {
		h.f()
	}
}

// The worst moment for a stale one: it has looked at the mark, the successor is announced, and then it initializes. It
// fences the successor, reads the mark again, and stops.
func TestStaleInitBetweenLookAndClaim(t *testing.T) {
	cluster := newCluster(t)
	newer := guardtest.Token(2, 0)
	successor := newWriter(t, cluster)
	stale := newWriter(t, cluster, kgo.WithHooks(&onClient{2, func() {
		require.NoError(t, successor.Transact(t.Context(), newer, produce(nothing, "current")))
	}}))
	require.ErrorIs(t, stale.Transact(t.Context(), guardtest.Token(1, 0), produce(nothing, "stale")), fencing.ErrStale)
	require.NoError(t, successor.Transact(t.Context(), newer, produce(nothing, "more")))
	require.Equal(t, []string{"current", "more"}, committed(t, cluster))
}

// With the brokers away, calls end with their context.
func TestContextBoundsEachCall(t *testing.T) {
	cluster := newCluster(t)
	w := newWriter(t, cluster)
	require.NoError(t, w.Announce(t.Context(), guardtest.Token(1, 0)))
	cluster.Close()
	for _, tok := range []fencing.Token{guardtest.Token(1, 0), guardtest.Token(2, 0)} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		require.ErrorIs(t, w.Check(ctx, tok), fencing.ErrUnavailable)
		cancel()
	}
}

func TestWorksErrorAborts(t *testing.T) {
	cluster := newCluster(t)
	w, token := newWriter(t, cluster), guardtest.Token(1, 0)
	broken := errors.New("broken")
	err := w.Transact(t.Context(), token, func(ctx context.Context, tx *kafka.Tx) error {
		require.NoError(t, tx.Produce(ctx, record("aborted")))
		return broken
	})
	require.Equal(t, broken, err)
	require.NoError(t, w.Transact(t.Context(), token, produce(nothing, "kept")))
	require.Equal(t, []string{"kept"}, committed(t, cluster))
}

// The mark survives compaction, and a topic that lost it is an error.
func TestMarkIsNeverReset(t *testing.T) {
	cluster := newCluster(t)
	require.NoError(t, newWriter(t, cluster).Announce(t.Context(), guardtest.Token(5, 0)))
	cluster.Compact()
	require.ErrorIs(t, newWriter(t, cluster).Check(t.Context(), guardtest.Token(4, 0)), fencing.ErrStale)
	require.NoError(t, cluster.DeleteRecords(marks, 0, -1))
	require.ErrorIs(t, newWriter(t, cluster).Check(t.Context(), guardtest.Token(4, 0)), fencing.ErrUnavailable)
}

func TestTokenTravels(t *testing.T) {
	cluster := newCluster(t)
	w, token := newWriter(t, cluster), guardtest.Token(7, 0)
	foreign := record("passed on")
	foreign.Headers = []kgo.RecordHeader{{Key: kafka.Header, Value: []byte(guardtest.Token(9, 0).String())}, {Key: "other", Value: []byte("x")}}
	require.NoError(t, w.Transact(t.Context(), token, func(ctx context.Context, tx *kafka.Tx) error { return tx.Produce(ctx, foreign) }))
	records, err := consume(t.Context(), kgo.ReadCommitted(), kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	got, err := kafka.TokenOf(records[0])
	require.NoError(t, err)
	require.Equal(t, token, got, "not that of the record it was made from")
	require.Len(t, records[0].Headers, 2)

	var order kafka.Order
	require.NoError(t, order.Check(records[0]))
	stale := &kgo.Record{Topic: data, Headers: []kgo.RecordHeader{{Key: kafka.Header, Value: []byte(guardtest.Token(6, 0).String())}}}
	require.ErrorIs(t, order.Check(stale), fencing.ErrStale)
	stale.Partition = 1
	require.NoError(t, order.Check(stale), "between partitions there is no order")
	stale.Headers = append(stale.Headers, stale.Headers[0])
	require.ErrorIs(t, order.Check(stale), fencing.ErrMalformed)
	require.ErrorIs(t, order.Check(record("bare")), fencing.ErrMissing)
}
