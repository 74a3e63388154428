//go:build unix

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/leasetest"
)

// genuine is a real API server, for the contract.
type genuine struct {
	cluster *controlplane.Cluster
	json    bool
}

func (r genuine) Client(t *testing.T) kubernetes.Interface {
	config := r.cluster.AdminConfig()
	if r.json {
		config.ContentConfig = rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}
	}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func (r genuine) Namespace() string { return "contract" }

// breakable can also be made to forget.
type breakable struct{ genuine }

func (b breakable) Compact(t *testing.T) { orSkip(t, b.cluster.Compact(t.Context())) }

func TestContract(t *testing.T) {
	c := sharedCluster(t)
	t.Logf("Kubernetes %s", c.Version)
	require.NoError(t, c.Namespace(t.Context(), "contract"))
	for name, r := range map[string]genuine{"protobuf": {cluster: c}, "json": {cluster: c, json: true}} {
		t.Run(name, func(t *testing.T) {
			if c.Ours() {
				leasetest.Run(t, breakable{r})
				return
			}
			leasetest.Run(t, r)
		})
	}
}

// TestContractCacheAhead restores etcd under a running API server.
func TestContractCacheAhead(t *testing.T) {
	c := ownCluster(t)
	require.NoError(t, c.Namespace(t.Context(), "contract"))
	leasetest.CacheAhead(t, genuine{cluster: c}, func() func() {
		backup, err := c.Snapshot(t.Context())
		orSkip(t, err)
		return func() { require.NoError(t, c.RestoreUnderAPI(t.Context(), backup)) }
	})
}
