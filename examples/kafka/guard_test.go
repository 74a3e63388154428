package kafka_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/examples/kafka"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

const (
	marks = "invoicer.mark"
	data  = "invoices"
)

// newCluster returns a broker in this process with both topics.
func newCluster(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.SeedTopics(1, marks, data))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newWriter(t testing.TB, cluster *kfake.Cluster, options ...kgo.Opt) *kafka.Writer {
	t.Helper()
	w, err := kafka.New(kafka.Config{
		Scope: guardtest.Scope, MarkTopic: marks, Options: append(options, kgo.SeedBrokers(cluster.ListenAddrs()...)),
	})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// through makes a client's connections go through a link, whatever address the broker gives itself.
func through(link *guardtest.Link) kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, link.Addr())
	})
}

func record(value string) *kgo.Record { return &kgo.Record{Topic: data, Value: []byte(value)} }

// produce is work that writes values, and then calls between.
func produce(between func(), values ...string) func(context.Context, *kafka.Tx) error {
	return func(ctx context.Context, tx *kafka.Tx) error {
		for _, value := range values {
			if err := tx.Produce(ctx, record(value)); err != nil {
				return err
			}
		}
		between()
		return nil
	}
}

func nothing() {}

// consume returns the records of the data topic that were written when the call began, at that isolation.
func consume(ctx context.Context, level kgo.IsolationLevel, options ...kgo.Opt) ([]*kgo.Record, error) {
	client, err := kgo.NewClient(append(options,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{data: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, data)
	if err != nil {
		return nil, err
	}
	if err := ends.Error(); err != nil {
		return nil, err
	}
	var records []*kgo.Record
	for next := int64(0); next < ends[data][0].Offset; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records, nil
}

func committed(t testing.TB, cluster *kfake.Cluster) (values []string) {
	t.Helper()
	records, err := consume(t.Context(), kgo.ReadCommitted(), kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

// suite is the register behind the guard: the last committed record.
func suite(odds int) guardtest.Suite {
	return guardtest.Suite{
		New:    func(t testing.TB) guardtest.Subject { return &subject{cluster: newCluster(t), odds: odds} },
		Damage: damage,
	}
}

type subject struct {
	cluster *kfake.Cluster
	odds    int
}

type register struct {
	*kafka.Writer
	options []kgo.Opt
}

func (s *subject) Client(t testing.TB) guardtest.Client {
	link := guardtest.NewLink(t, s.cluster.ListenAddrs()[0], s.odds)
	return register{newWriter(t, s.cluster, through(link)), []kgo.Opt{through(link), kgo.SeedBrokers(link.Addr())}}
}

func (r register) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	return r.Transact(ctx, t, produce(between, value))
}

func (r register) Read(ctx context.Context) (string, error) {
	records, err := consume(ctx, kgo.ReadCommitted(), r.options...)
	if err != nil || len(records) == 0 {
		return "", err
	}
	return string(records[len(records)-1].Value), nil
}

// damage writes a mark with text in the place of its epoch, as a client without the recipe could.
func damage(t testing.TB, s guardtest.Subject, text string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.(*subject).cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	good := guardtest.Token(5, 0).String()
	mark := strings.Replace(good, "@5.", "@"+text+".", 1)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: marks, Key: []byte("mark"), Value: []byte(mark)}).FirstErr())
}

func TestGuard(t *testing.T) {
	t.Run("Conformance", suite(0).Conformance)
	t.Run("Linearizable", func(t *testing.T) {
		load := guardtest.Load{Rounds: 3, Clients: 3, Calls: 16}
		if testing.Short() {
			load.Rounds = 1
		}
		suite(100).Linearizable(t, load)
	})
	t.Run("Hammer", func(t *testing.T) { suite(0).Hammer(t, 6*time.Second) })
}
