package singleton_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/hotseat-go/hotseat/singleton"
)

// muteListener has connections whose answers can be made to vanish.
type muteListener struct {
	net.Listener
	mu    sync.Mutex
	conns []*muteConn
}

type muteConn struct {
	net.Conn
	mute atomic.Bool
}

func (l *muteListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &muteConn{Conn: conn}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, nil
}

func (c *muteConn) Write(b []byte) (int, error) {
	if c.mute.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// mute makes all connections there are say nothing any more, and returns their number.
func (l *muteListener) mute() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.mute.Store(true)
	}
	return len(l.conns)
}

// TestInClusterLeavesDeadConnections: client-go alone stays with them for 45 s.
func TestInClusterLeavesDeadConnections(t *testing.T) {
	var protocol atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"7"}}`))
	}))
	listener := &muteListener{Listener: server.Listener}
	server.Listener, server.EnableHTTP2 = listener, true
	server.StartTLS()
	defer server.Close()

	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"c": {Server: server.URL, InsecureSkipTLSVerify: true}},
		Contexts:       map[string]*api.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, file))
	t.Setenv("KUBECONFIG", file)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	client, err := singleton.InCluster()
	require.NoError(t, err)
	list := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := client.CoordinationV1().Leases("shop").List(ctx, metav1.ListOptions{})
		return err
	}

	require.NoError(t, list(time.Minute))
	require.Equal(t, "HTTP/2.0", protocol.Load(), "else each request brings a new connection anyway")
	require.Equal(t, 1, listener.mute())
	for range 2 {
		require.ErrorIs(t, list(300*time.Millisecond), context.DeadlineExceeded)
	}
	require.NoError(t, list(20*time.Second), "client-go alone needs 45 s")
	require.NoError(t, list(time.Minute), "and stays with the new one")
	require.Equal(t, 2, listener.mute())
}
