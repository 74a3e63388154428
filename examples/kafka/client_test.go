package kafka_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// held stretches the moment in which franz-go has sent the first record of a topic and does not know the topic's partitions
// yet. While the client asks for them, a second record is queued behind the first; choosing its partition takes a while, then fails.
type held struct {
	producer atomic.Pointer[kgo.Client] // the latest
}

func (h *held) OnNewClient(client *kgo.Client) {
	if client.OptValue(kgo.TransactionalID) != "" {
		h.producer.Store(client)
	}
}

func (h *held) queue() {
	h.producer.Load().Produce(context.Background(), &kgo.Record{Topic: data, Key: []byte("held")}, nil)
}

func (h *held) ForTopic(string) kgo.TopicPartitioner { return h }

func (h *held) RequiresConsistency(*kgo.Record) bool { return true }

func (h *held) Partition(r *kgo.Record, _ int) int {
	if string(r.Key) == "held" {
		time.Sleep(200 * time.Millisecond)
		return -1
	}
	return 0
}

// onAsked calls f with the number of times that a client asked for the data topic's partitions, before that is answered.
func onAsked(cluster *kfake.Cluster, f func(n int)) {
	n := 0
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		for _, topic := range req.(*kmsg.MetadataRequest).Topics {
			if topic.Topic != nil && *topic.Topic == data {
				n++
				f(n)
			}
		}
		return nil, nil, false
	})
}

// The first transaction of a client with a topic is committed, and not only said to be.
func TestFirstTransactionWithATopic(t *testing.T) {
	cluster, h := newCluster(t), new(held)
	w := newWriter(t, cluster, kgo.WithHooks(h), kgo.RecordPartitioner(h))
	onAsked(cluster, func(n int) {
		if n == 1 {
			h.queue()
		}
	})
	require.NoError(t, w.Transact(t.Context(), guardtest.Token(1, 0), produce(nothing, "first")))
	require.Equal(t, []string{"first"}, committed(t, cluster))
}

// So it is where the client first heard that there is no such topic.
func TestFirstTransactionWithATopicJustMade(t *testing.T) {
	cluster, h := newCluster(t), new(held)
	w := newWriter(t, cluster, kgo.WithHooks(h), kgo.RecordPartitioner(h), kgo.MetadataMinAge(50*time.Millisecond))
	require.NoError(t, w.Announce(t.Context(), guardtest.Token(1, 0)))

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.DeleteTopic(t.Context(), data)
	require.NoError(t, err)
	made := make(chan error, 1)
	onAsked(cluster, func(n int) {
		switch n {
		case 1:
			go func() { // the broker answers in order, and first that it has no such topic
				_, err := admin.CreateTopic(context.Background(), 1, 1, nil, data)
				made <- err
			}()
		case 2:
			h.queue()
		}
	})
	require.NoError(t, w.Transact(t.Context(), guardtest.Token(1, 0), produce(nothing, "first")))
	require.NoError(t, <-made)
	require.Equal(t, []string{"first"}, committed(t, cluster))
}
