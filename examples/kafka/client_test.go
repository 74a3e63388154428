package kafka_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hotseat-go/hotseat/examples/kafka"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// The first transaction of a client with a topic is committed, and not only said to be. The moment in which franz-go takes
// it for an empty one is too short to be met by trying, so two other tests are built with a franz-go in which it lasts 20 ms.
func TestFirstTransactionWithATopic(t *testing.T) {
	if testing.Short() {
		t.Skip("builds franz-go")
	}
	output := func(name string, args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		require.NoError(t, err, "%s %v: %s", name, args, out)
		return out
	}
	slow := filepath.Join(t.TempDir(), "franz-go")
	module := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/twmb/franz-go")
	require.NoError(t, os.CopyFS(slow, os.DirFS(string(bytes.TrimSpace(module)))))
	source := filepath.Join(slow, "pkg/kgo/topics_and_partitions.go")
	replaceIn(t, source, "defer l.v.Store(lv)", "defer func() { time.Sleep(20 * time.Millisecond); l.v.Store(lv) }()")
	replaceIn(t, source, "import (", "import (\n\t\"time\"")

	mod := filepath.Join(t.TempDir(), "go.mod")
	for from, to := range map[string]string{"go.mod": mod, "go.sum": strings.TrimSuffix(mod, "mod") + "sum"} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
	output("go", "mod", "edit", "-replace", "github.com/twmb/franz-go="+slow, mod)
	out := output("go", "test", "-trimpath", "-modfile", mod, "-count=3", "-v", "-run", "^(TestStaleInitBetweenLookAndClaim|TestTopicIsCreatedMeanwhile)$", ".")
	require.Equal(t, 6, bytes.Count(out, []byte("--- PASS")), "%s", out)
}

// The client has asked for a topic in vain before it gets to know it.
func TestTopicIsCreatedMeanwhile(t *testing.T) {
	cluster := newCluster(t)
	const topic = "created.later"
	var once sync.Once
	cluster.ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, asked := range req.(*kmsg.MetadataRequest).Topics {
			if asked.Topic != nil && *asked.Topic == topic {
				once.Do(func() { go createTopic(t, cluster, topic) }) // after this answer, which says that there is none
			}
		}
		return nil, nil, false
	})
	token := guardtest.Token(1, 0)
	w := newWriter(t, cluster, kgo.UnknownTopicRetries(-1))
	require.NoError(t, w.Advance(t.Context(), token))
	require.NoError(t, w.Transact(t.Context(), token, func(ctx context.Context, tx *kafka.Tx) error {
		return tx.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte("first")})
	}))
	require.NoError(t, w.Transact(t.Context(), token, produce(nothing, "next")))
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fetches := client.PollFetches(ctx)
	require.NoError(t, fetches.Err())
	require.Len(t, fetches.Records(), 1)
}

func createTopic(t *testing.T, cluster *kfake.Cluster, topic string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if assert.NoError(t, err) {
		defer client.Close()
		_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, topic)
		assert.NoError(t, err)
	}
}

// replaceIn puts to in the place of from, which a file has once.
func replaceIn(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(text, []byte(from)), "%q: franz-go has changed, see whether the recipe still needs session.known", from)
	require.NoError(t, os.Chmod(file, 0o600)) // the module cache is read-only, and so was the copy
	require.NoError(t, os.WriteFile(file, bytes.Replace(text, []byte(from), []byte(to), 1), 0o600))
}
