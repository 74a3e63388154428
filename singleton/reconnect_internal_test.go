package singleton

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/hotseat-go/hotseat/internal/whole"
)

// deadAtMost is when a dead connection has been left for another: after about 5 s,
// while client-go alone stays with it for 45 s.
const deadAtMost = 15 * time.Second

// envAlone is set in a process that runs one test only.
const envAlone = "HOTSEAT_TEST_ALONE"

// TestDefaultClientLeavesDeadConnections: all that was under way on it fails at once, reads
// are repeated by client-go, and nothing of the connection is left behind.
func TestDefaultClientLeavesDeadConnections(t *testing.T) {
	whole.Only(t)
	if os.Getenv(envAlone) == "" { // it counts goroutines, and mostly waits
		t.Parallel()
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
		child.Env = append(os.Environ(), envAlone+"=1")
		said, err := child.CombinedOutput()
		require.NoError(t, err, "%s", said)
		return
	}
	s := serve(t, true, nil)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"c": {Server: s.url, CertificateAuthority: s.caFile}},
		Contexts:       map[string]*api.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, file))
	t.Setenv("KUBECONFIG", file)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	client, err := DefaultClient()
	require.NoError(t, err)
	l := leases{client}

	require.NoError(t, l.list(t, time.Minute))
	require.Equal(t, "HTTP/2.0", s.protocol.Load(), "else each request brings a new connection anyway")
	goroutines := runtime.NumGoroutine()
	w := l.watch(t)
	require.Equal(t, 1, s.connections())
	s.cut()
	update := l.update(t, time.Minute)
	require.NoError(t, l.list(t, deadAtMost))
	require.True(t, utilnet.IsHTTP2ConnectionLost(<-update), "a write is not repeated: it may have landed")
	for range w.ResultChan() {
	}

	require.NoError(t, l.list(t, time.Minute), "and stays with the new one")
	require.EqualValues(t, 2, s.opened.Load())
	for end := time.Now().Add(2 * slowAnswer); s.connections() > 1 || runtime.NumGoroutine() > goroutines; {
		require.True(t, time.Now().Before(end), "connections %d, goroutines %d, once %d",
			s.connections(), runtime.NumGoroutine(), goroutines)
		time.Sleep(10 * time.Millisecond) // the server has not yet answered the update
	}
}

// TestSlowServerKeepsItsConnection: nothing is closed, and so nothing lost, on a server
// that answers pings: not what it takes its time for.
func TestSlowServerKeepsItsConnection(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	s := serve(t, true, nil)
	l := s.client(t)
	require.NoError(t, l.list(t, time.Minute))
	update := l.update(t, time.Minute)
	for range 3 {
		require.NoError(t, l.list(t, slowAnswer/2), "quick, beside it")
	}
	second := l.update(t, time.Minute)
	require.NoError(t, <-update)
	require.NoError(t, <-second)
	require.EqualValues(t, 1, s.opened.Load())
}

// Nor is a watch that is idle.
func TestIdleWatchKeepsItsConnection(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	s := serve(t, true, nil)
	w := s.client(t).watch(t)
	defer w.Stop()
	select {
	case <-w.ResultChan():
		require.Fail(t, "the idle watch has ended")
	case <-time.After(pingAfter + pingTimeout):
	}
	require.EqualValues(t, 1, s.opened.Load())
}

// TestFrozenServerIsLeft for another behind the same balancer, although that sends the
// next connection to the frozen one as well: its TLS handshake holds up no other's.
func TestFrozenServerIsLeft(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	s := serve(t, true, func(n int) int { return min(n/2, 1) })
	l := s.client(t)
	require.NoError(t, l.list(t, time.Minute))
	s.frozen[0].Store(true)
	frozen, heard := time.Now(), make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := func() {
		err := l.list(t, 10*time.Second)
		select {
		case heard <- err:
		case <-ctx.Done():
		}
	}
	go request()
	for each := time.NewTicker(2 * time.Second); ; { // as renewals are sent
		select {
		case err := <-heard:
			require.NoError(t, err)
			require.Less(t, time.Since(frozen), deadAtMost)
			t.Log("answered by the other one after", time.Since(frozen), "connections", s.opened.Load())
			return
		case <-each.C:
			go request()
		}
	}
}

// TestDeadConnectionOverHTTP1: without pings, the request that was given a dead
// connection waits for its own deadline. It is one request only.
func TestDeadConnectionOverHTTP1(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	s := serve(t, false, nil)
	l := s.client(t)
	first, second := l.update(t, time.Minute), l.update(t, time.Minute)
	require.NoError(t, l.list(t, slowAnswer/2), "over a connection of its own")
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.Equal(t, "HTTP/1.1", s.protocol.Load())
	require.EqualValues(t, 3, s.opened.Load())
	require.Eventually(t, func() bool { return s.connections() == 1 }, slowAnswer, 10*time.Millisecond, "not kept")

	s.cut()
	dead := make(chan error, 1)
	go func() { dead <- l.list(t, 2*time.Second) }()
	time.Sleep(500 * time.Millisecond)
	require.NoError(t, l.list(t, time.Minute))
	require.ErrorIs(t, <-dead, context.DeadlineExceeded)
}

// TestRevokedTokenIsReadAgain: client-go alone goes on with it for up to a minute.
func TestRevokedTokenIsReadAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	file := filepath.Join(t.TempDir(), "token")
	replace := func(token string) {
		s.token.Store(token)
		require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	}
	replace("one")
	l := s.client(t, func(c *rest.Config) { c.BearerTokenFile, c.BearerToken = file, "one" })
	require.NoError(t, l.list(t, time.Minute))
	replace("two")
	require.True(t, apierrors.IsUnauthorized(l.list(t, time.Minute)))
	require.NoError(t, l.list(t, time.Minute))
	require.NoError(t, os.Remove(file))
	require.NoError(t, l.list(t, time.Minute), "what is good is not read again")
	require.EqualValues(t, 1, s.refused.Load())
}

// TestHardenedTouchesNothingOfOthers: neither the config it was given, nor a transport
// that others use. Its own has pings also under a wrapper that does not tell.
func TestHardenedTouchesNothingOfOthers(t *testing.T) {
	pings := func(rt http.RoundTripper) time.Duration {
		for {
			switch known := rt.(type) {
			case hidden:
				rt = known.RoundTripper
			case utilnet.RoundTripperWrapper:
				rt = known.WrappedRoundTripper()
			case *http.Transport:
				if known.HTTP2 == nil {
					return 0
				}
				return known.HTTP2.SendPingTimeout
			}
		}
	}
	config := &rest.Config{Host: "http://127.0.0.1:1", QPS: 5, BearerTokenFile: "token"}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return hidden{rt} })
	own, err := rest.TransportFor(hardened(config))
	require.NoError(t, err)
	require.Equal(t, pingAfter, pings(own))
	require.Zero(t, pings(http.DefaultTransport))

	config.Transport = &http.Transport{}
	given := fmt.Sprint(*config)
	_, err = rest.TransportFor(hardened(config))
	require.NoError(t, err)
	require.Zero(t, pings(config.Transport))
	require.Equal(t, given, fmt.Sprint(*config))
}

// hidden is a wrapper that does not tell what it wraps.
type hidden struct{ http.RoundTripper }
