//go:build unix

package e2e

import (
	"net/http"
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
	anew    bool // each request over a connection of its own
}

func (r genuine) Client(t *testing.T) kubernetes.Interface {
	config := r.cluster.AdminConfig()
	if r.json {
		config.ContentConfig = rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}
	}
	if r.anew {
		config = anew(config)
	}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func (r genuine) Namespace() string { return "contract" }

// anew has each request of a client go over a connection of its own: behind a balancer, to another
// API server than the last.
func anew(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return once{next} })
	return config
}

type once struct{ next http.RoundTripper }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Close = true
	return o.next.RoundTrip(r)
}

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
