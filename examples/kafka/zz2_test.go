package kafka_test
import ("testing";"time";"context";"runtime";"github.com/twmb/franz-go/pkg/kgo";"github.com/twmb/franz-go/pkg/kfake";"github.com/stretchr/testify/require")
type slow struct{}
func (slow) OnProduceRecordPartitioned(*kgo.Record, int32) { time.Sleep(3*time.Millisecond) }
func TestBareSilentAbort(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, data)); require.NoError(t, err); defer cluster.Close()
	for _, m := range []string{"plain", "hook", "hook1", "plain1"} {
	lost := 0
	func() {
	if m == "hook1" || m == "plain1" { defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) }
	for range 200 {
		opts := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID("x"), kgo.ProducerLinger(0)}
		if m[0] == 'h' { opts = append(opts, kgo.WithHooks(slow{})) }
		c, err := kgo.NewClient(opts...); require.NoError(t, err)
		require.NoError(t, c.BeginTransaction())
		r := &kgo.Record{Topic: data, Value: []byte("v")}
		require.NoError(t, c.ProduceSync(context.Background(), r).FirstErr())
		require.NoError(t, c.EndTransaction(context.Background(), kgo.TryCommit))
		_, e, _ := c.ProducerID(context.Background())
		_ = e
		c.Close()
	}
	}()
	n := len(committed(t, cluster)); lost = 200 - n
	t.Log(m, "lost", lost)
	cluster.Close(); cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, data)); require.NoError(t, err)
	}
	cluster.Close()
}
