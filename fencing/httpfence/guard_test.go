package httpfence_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// register is the suite's register as a real server on loopback: PUT writes, GET reads.
type register struct {
	addr string
	odds int // of losing a connection: see guardtest.NewLink

	mu       sync.Mutex
	value    string
	betweens map[string]*between // by the id that a write has in a header
}

// between is a write's way to be called between check and effect, as long as its caller waits.
type between struct {
	mu   sync.Mutex
	call func()
}

func (b *between) run() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.call()
}

func (b *between) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.call = func() {}
}

const headerBetween = "X-Between"

func suite(odds int) guardtest.Suite {
	return guardtest.Suite{New: func(t testing.TB) guardtest.Subject {
		g := &register{odds: odds, betweens: map[string]*between{}}
		guarded, err := httpfence.NewServer(httpfence.ServerConfig{Guard: newMemory(t, time.Second), Scope: guardtest.Scope})
		require.NoError(t, err)
		mux := http.NewServeMux()
		mux.Handle("/guard", guarded.Endpoint())
		mux.Handle("/register", guarded.Middleware(g))
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		g.addr = server.Listener.Addr().String()
		return g
	}}
}

func (g *register) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		g.mu.Lock()
		defer g.mu.Unlock()
		_, _ = io.WriteString(w, g.value)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	here := g.betweens[r.Header.Get(headerBetween)]
	g.mu.Unlock()
	here.run()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = string(text)
}

// registerClient is a client with connections of its own, on a link of its own.
type registerClient struct {
	*httpfence.Remote
	register     *register
	url          string
	bare, fenced *http.Client
}

func (g *register) Client(t testing.TB) guardtest.Client {
	link := guardtest.NewLink(t, g.addr, g.odds)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	c := &registerClient{register: g, url: "http://" + link.Addr() + "/register", bare: &http.Client{Transport: base}}
	c.fenced = &http.Client{Transport: newTransport(t, httpfence.TransportConfig{Base: base})}
	var err error
	c.Remote, err = httpfence.NewRemote("http://"+link.Addr()+"/guard", base)
	require.NoError(t, err)
	return c
}

func (c *registerClient) Write(ctx context.Context, tok fencing.Token, value string, call func()) error {
	here := &between{call: call}
	defer here.forget()
	id := fmt.Sprintf("%p %s %v", c, value, tok)
	c.register.mu.Lock()
	c.register.betweens[id] = here
	c.register.mu.Unlock()
	r, err := http.NewRequestWithContext(fencing.NewContext(ctx, tok), http.MethodPut, c.url, strings.NewReader(value))
	if err != nil {
		return err
	}
	r.Header.Set(headerBetween, id)
	_, err = do(c.fenced, r)
	return err
}

func (c *registerClient) Read(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	return do(c.bare, r)
}

func do(c *http.Client, r *http.Request) (string, error) {
	answer, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), err
}

func TestGuardConformance(t *testing.T) { suite(0).Conformance(t) }

func TestGuardLinearizable(t *testing.T) {
	t.Run("answers lost", func(t *testing.T) { suite(8).Linearizable(t, guardtest.Load{Rounds: 5}) })
	t.Run("none lost", func(t *testing.T) { suite(0).Linearizable(t, guardtest.Load{Rounds: 2}) })
}

func TestGuardHammer(t *testing.T) {
	suite(0).Hammer(t, whole.Lasts(time.Second, 300*time.Millisecond))
}
