//go:build unix

package controlplane

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// talkative is a server that says its name each 10 ms.
func talkative(t *testing.T, name string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprintln(w, name, r.Host)
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL[strings.LastIndex(server.URL, ":")+1:]
}

// TestCut: a member that is cut off reaches nobody and is reached by nobody, and the others reach
// each other.
func TestCut(t *testing.T) {
	n, err := newNetwork([]string{talkative(t, "a"), talkative(t, "b"), talkative(t, "c")})
	require.NoError(t, err)
	t.Cleanup(n.close)
	ask := func(from int, host string) (*bufio.Reader, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		t.Cleanup(cancel)
		proxy, err := url.Parse("http://127.0.0.1:" + n.ports[from])
		require.NoError(t, err)
		transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
		t.Cleanup(transport.CloseIdleConnections)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, host, nil)
		require.NoError(t, err)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { assert.NoError(t, response.Body.Close()) })
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", response.StatusCode)
		}
		return bufio.NewReader(response.Body), nil
	}
	hears := func(r *bufio.Reader, line string) {
		t.Helper()
		got, err := r.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, line+"\n", got)
	}
	type pair struct{ from, to int }
	words := []string{"a 192.0.2.1:2380", "b 192.0.2.2:2380", "c 192.0.2.3:2380"}
	open := map[pair]*bufio.Reader{}
	for _, p := range []pair{{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}} {
		open[p], err = ask(p.from, peerURL(p.to)+"/x")
		require.NoError(t, err)
		hears(open[p], words[p.to])
	}
	n.cut(1)
	for p, r := range open {
		if p.from != 1 && p.to != 1 {
			hears(r, words[p.to])
			continue
		}
		for err = nil; err == nil; {
			_, err = r.ReadString('\n')
		}
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		_, err = ask(p.from, peerURL(p.to)+"/x")
		require.Error(t, err)
	}
	n.mend(1)
	for p := range open {
		r, err := ask(p.from, peerURL(p.to)+"/x")
		require.NoError(t, err)
		hears(r, words[p.to])
	}
	_, err = ask(0, "http://192.0.2.9:2380/x")
	require.EqualError(t, err, "status 502")
}
