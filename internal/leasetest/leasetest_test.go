package leasetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/leasetest"
)

// double is the in-process server, reached in one of the ways there are.
type double struct {
	cluster  *apiserver.Cluster
	loopback bool
	json     bool
}

func (d double) Client(t *testing.T) kubernetes.Interface {
	cfg := d.cluster.RESTConfig("tester")
	if d.loopback {
		var err error
		cfg, err = d.cluster.LoopbackConfig("tester")
		require.NoError(t, err)
	}
	if d.json {
		cfg.ContentConfig = rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}
	}
	client, err := kubernetes.NewForConfig(cfg)
	require.NoError(t, err)
	return client
}

func (d double) Namespace() string { return "contract" }

func (d double) Compact(*testing.T) { d.cluster.Compact() }

func TestInProcessServer(t *testing.T) {
	for name, d := range map[string]double{
		"memory/protobuf":   {},
		"memory/json":       {json: true},
		"loopback/protobuf": {loopback: true},
		"loopback/json":     {loopback: true, json: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.cluster = apiserver.New(apiserver.Options{})
			t.Cleanup(d.cluster.Close)
			leasetest.Run(t, d)
		})
	}
}

func TestCacheAhead(t *testing.T) {
	d := double{cluster: apiserver.New(apiserver.Options{})}
	t.Cleanup(d.cluster.Close)
	leasetest.CacheAhead(t, d, func() func() {
		backup := d.cluster.Snapshot()
		return func() { d.cluster.RestoreUnderCache(backup) }
	})
}
