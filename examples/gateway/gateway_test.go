package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/examples/gateway/client"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// TestMain lets the test binary be the replicas that the demo starts.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-listen") {
		main()
		return
	}
	os.Exit(m.Run())
}

// The demo, as a newcomer sees it: real processes, and nobody who gets no answer in the end.
func TestDemo(t *testing.T) {
	whole.Only(t)
	var out bytes.Buffer
	rows, err := demo(t.Context(), &out)
	t.Logf("%s\n%s", &out, client.Table(rows))
	require.NoError(t, err, "two may not pick at once")
	require.Len(t, rows, 4)
	for _, r := range rows {
		require.Positive(t, r.Sent, r.Phase)
		require.Equal(t, r.Sent, r.Answered, r.Phase)
	}
	// On a machine that stalls, a term can end before its replica is killed. Not in both crashes.
	require.Positive(t, rows[2].Retried+rows[3].Retried)
	require.Greater(t, max(rows[2].Longest, rows[3].Longest), time.Second,
		"nobody picks before the lease duration is over")
}

// The metrics stop, and then the active is gone: the next one picks at once, from what it saw as a
// standby. All that was ready before.
func TestStandbysAreWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "llm", Lease: "gateway"})
		defer cluster.Close()
		var silent atomic.Bool
		look := func(ctx context.Context) ([]model, error) {
			if silent.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []model{{Name: "gpu-0", Queue: 1}, {Name: "gpu-1"}}, nil
		}
		a, b := start(t, cluster, "a", look), start(t, cluster, "b", look)
		first, err := a.WaitActive(t.Context())
		require.NoError(t, err)
		require.NoError(t, errors.Join(a.Ready(), b.Ready()), "a standby is ready, too")
		require.Equal(t, "gpu-1", a.picks(t).Server)
		require.Equal(t, http.StatusServiceUnavailable, b.ask().Code, "a standby refuses")
		require.Equal(t, "1", b.ask().Header().Get("Retry-After"))

		silent.Store(true)
		from := time.Now()
		cold := start(t, cluster, "cold", look)
		cluster.Link("a").BlackHole()
		second, err := b.WaitActive(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		pick := b.picks(t)
		require.Greater(t, pick.Epoch, first.Token().Epoch)
		require.Equal(t, second.Token().Epoch, pick.Epoch)
		require.Equal(t, "b", pick.Replica)
		require.Equal(t, "gpu-1", pick.Server)
		require.GreaterOrEqual(t, pick.AgeMillis, time.Since(from).Milliseconds(), "it was filled before")
		require.Equal(t, http.StatusServiceUnavailable, a.ask().Code)

		require.Error(t, cold.Ready(), "who has seen nothing cannot take over")
		silent.Store(false)
		time.Sleep(3 * time.Second)
		require.NoError(t, cold.Ready())
		require.Less(t, b.picks(t).AgeMillis, time.Second.Milliseconds(), "it follows again")
	})
}

// running is a replica in the test's process.
type running struct {
	*gateway
	*singleton.Elector
}

func start(
	t *testing.T, cluster *singletontest.Cluster, name string, look func(context.Context) ([]model, error),
) running {
	api, err := singleton.NewClient(cluster.RESTConfig(name))
	require.NoError(t, err)
	g, err := newGateway(api, singleton.Config{
		Namespace: "llm", Replica: singleton.ReplicaConfig{Identity: name}, Logger: slog.New(slog.DiscardHandler),
	}, look)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx, idle) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	synctest.Wait()
	return running{g, g.elector}
}

func (r running) ask() *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/pick?prompt=Hello", http.NoBody))
	return w
}

func (r running) picks(t *testing.T) (pick client.Pick) {
	t.Helper()
	w := r.ask()
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &pick))
	return pick
}

func TestPick(t *testing.T) {
	models := []model{
		{Name: "gpu-0", Queue: 2, Prefixes: []string{"You are a poet.", "You are a poet. Write about the sea."}},
		{Name: "gpu-1", Queue: 1},
	}
	p := &picker{look: func(context.Context) ([]model, error) { return models, nil }}
	_, _, err := p.pick("Hello")
	require.ErrorContains(t, err, "cold")
	picks := func(prompt string) string {
		server, _, err := p.pick(prompt)
		require.NoError(t, err)
		return server
	}
	require.NoError(t, p.fill(t.Context()))
	require.Equal(t, "gpu-1", picks("Hello"), "the shorter queue")
	require.Equal(t, "gpu-0", picks("You are a poet. Write about the sea. Now."), "its prefix is worth two in the queue")
	require.NoError(t, p.fill(t.Context()))
	require.Equal(t, "gpu-1", picks("Hello"))
	require.Equal(t, "gpu-0", picks("Hello"), "the first is still on its way to gpu-1")
	require.Equal(t, "gpu-1", picks("Hello"))

	models = nil
	require.ErrorContains(t, p.fill(t.Context()), "no model servers")
	require.NotEmpty(t, picks("Hello"), "the last look counts")
}

// A client that is interrupted prints what it saw.
func TestCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(client.Pick{Server: "gpu-0", Replica: "a", Epoch: 1})
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var out bytes.Buffer
	require.NoError(t, count(ctx, []string{server.Listener.Addr().String()}, &out))
	require.Contains(t, out.String(), "| 0 to 10 s ")
}

func TestLookAt(t *testing.T) {
	f := new(fleet)
	server := httptest.NewServer(f)
	defer server.Close()
	p := &picker{look: lookAt(server.URL)}
	require.NoError(t, p.fill(t.Context()))
	require.Len(t, p.models, 3)
	require.Equal(t, 1, f.silence(true))
	require.ErrorIs(t, p.fill(t.Context()), context.DeadlineExceeded)
	require.Equal(t, 1, f.silence(false))
	p.look = lookAt(server.URL + "/\x7f")
	require.Error(t, p.fill(t.Context()))
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	p.look = lookAt(broken.URL)
	require.ErrorContains(t, p.fill(t.Context()), "404")
}
