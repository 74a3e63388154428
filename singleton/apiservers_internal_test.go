package singleton

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// slowAnswer is how long the servers below take for an update; all else is quick.
const slowAnswer = 6 * time.Second

// apiServers are two API servers behind a balancer of connections. What one that is
// frozen would say vanishes, as does what a dead connection carries.
type apiServers struct {
	net.Listener
	url, caFile string
	pick        func(n int) int // the server that gets the n-th connection; nil: the first
	protocol    atomic.Value
	token       atomic.Value // the one that is accepted; empty: any
	refused     atomic.Int32

	frozen [2]atomic.Bool
	opened atomic.Int32
	mu     sync.Mutex
	open   map[*serverConn]struct{}
}

type serverConn struct {
	net.Conn
	servers *apiServers
	server  int
	dead    atomic.Bool
}

func (s *apiServers) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &serverConn{Conn: conn, servers: s}
	if n := int(s.opened.Add(1)) - 1; s.pick != nil {
		c.server = s.pick(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	return c, nil
}

func (c *serverConn) Write(b []byte) (int, error) {
	if c.dead.Load() || c.servers.frozen[c.server].Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *serverConn) Close() error {
	c.servers.mu.Lock()
	delete(c.servers.open, c)
	c.servers.mu.Unlock()
	return c.Conn.Close()
}

// connections is how many are open.
func (s *apiServers) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// cut makes all connections there are dead, without a word.
func (s *apiServers) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.dead.Store(true)
	}
}

func (s *apiServers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.protocol.Store(r.Proto)
	w.Header().Set("Content-Type", "application/json")
	body := `{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"7"}}`
	token := s.token.Load()
	switch {
	case token != nil && r.Header.Get("Authorization") != "Bearer "+token.(string):
		s.refused.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Query().Has("watch"):
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	case r.Method == http.MethodPut:
		time.Sleep(slowAnswer)
		body = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`
	}
	_, _ = io.WriteString(w, body)
}

func serve(t *testing.T, http2 bool, pick func(n int) int) *apiServers {
	t.Helper()
	s := &apiServers{open: map[*serverConn]struct{}{}, pick: pick}
	server := httptest.NewUnstartedServer(s)
	s.Listener = server.Listener
	server.Listener, server.EnableHTTP2 = s, http2
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.url, s.caFile = server.URL, filepath.Join(t.TempDir(), "ca.crt")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(s.caFile, ca, 0o600))
	return s
}

// client is one that a service account's config makes: client-go reads its CA again.
func (s *apiServers) client(t *testing.T, change ...func(*rest.Config)) leases {
	t.Helper()
	config := &rest.Config{Host: s.url, TLSClientConfig: rest.TLSClientConfig{CAFile: s.caFile}}
	for _, f := range change {
		f(config)
	}
	client, err := NewClient(config)
	require.NoError(t, err)
	return leases{client}
}

type leases struct{ *Client }

func (l leases) list(t *testing.T, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err := l.Leases("shop").List(ctx, metav1.ListOptions{})
	return err
}

// update is sent at once; its end is received.
func (l leases) update(t *testing.T, timeout time.Duration) <-chan error {
	end := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		lease := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}}
		_, err := l.Leases("shop").Update(ctx, lease, metav1.UpdateOptions{})
		end <- err
	}()
	return end
}

func (l leases) watch(t *testing.T) watch.Interface {
	t.Helper()
	w, err := l.Leases("shop").Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return w
}
