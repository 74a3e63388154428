//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/transport"

	"github.com/hotseat-go/hotseat/singleton"
)

// tally counts answers by method and status.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *tally) wrap() transport.WrapperFunc {
	return func(next http.RoundTripper) http.RoundTripper { return tallied{c, next} }
}

type tallied struct {
	*tally
	next http.RoundTripper
}

func (c tallied) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count[fmt.Sprintf("%s %d", request.Method, response.StatusCode)]++
	}
	return response, err
}

// TestStormOfLabels: while labels of the Lease are edited as fast as the server
// takes it, no renewal is refused, and the term goes on.
func TestStormOfLabels(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	answers := &tally{count: map[string]int{}}
	config := s.config()
	config.Wrap(answers.wrap())
	client, err := singleton.NewClient(config)
	require.NoError(t, err)
	stay := &stay{}
	a := s.replicaOver(client, "a", stay.hook)
	s.works(a)
	s.replica("b", stay.hook)
	edits := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); edits++ {
		merge := fmt.Sprintf(`{"metadata":{"labels":{"storm":"%d"}}}`, edits)
		_, err := s.leases().Patch(t.Context(), leaseName, types.MergePatchType, []byte(merge), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	answers.mu.Lock()
	defer answers.mu.Unlock()
	t.Logf("%d edits; answers to the holder: %v", edits, answers.count)
	require.EqualValues(t, 1, stay.terms.Load())
	require.GreaterOrEqual(t, answers.count["PATCH 200"], 10)
	for answer, n := range answers.count {
		require.Contains(t, answer, " 200", "%d answers", n)
	}
}
