package statuspage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// wire is a ResponseWriter that notes when each event was sent, and what it was.
type wire struct {
	header http.Header
	status int
	fails  bool

	mu     sync.Mutex
	held   bytes.Buffer
	events []event
	times  []time.Time
}

func newWire() *wire { return &wire{header: http.Header{}, status: http.StatusOK} }

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) { w.status = status }

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails {
		return 0, errors.New("the client is gone")
	}
	return w.held.Write(p)
}

func (w *wire) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if data, ok := strings.CutPrefix(w.held.String(), "data: "); ok {
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		w.events, w.times = append(w.events, e), append(w.times, time.Now())
	}
	w.held.Reset()
	return nil
}

func (w *wire) sent() (events []event, times []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events, w.times
}

// stream asks h for a stream until stop is called or the stream has ended.
func stream(h http.Handler, w *wire) (stop func(), ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequest(http.MethodGet, "/status", nil).WithContext(ctx)
	r.Header.Set("Accept", typeEvents)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, r)
	}()
	synctest.Wait()
	return func() { cancel(); <-done }, done
}

// A stream sends what changed, at a bounded rate, and ends after a minute.
func TestStream(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		b, _ := l.start("b")
		began := time.Now()
		w := newWire()
		_, ended := stream(Handler(b), w)
		events, _ := w.sent()
		require.Len(l, events, 1, "all of it, at once")
		require.Len(l, events[0].Parts, 9)
		require.Contains(l, events[0].Parts["headline"], "a holds the Lease")
		require.Equal(l, began.UnixMilli(), events[0].Now)
		time.Sleep(20*time.Second + time.Millisecond)
		a.Resign()
		time.Sleep(streamTick)
		events, times := w.sent()
		require.Contains(l, events[len(events)-1].Parts["headline"], "b is active")
		for i := range times[1:] {
			require.GreaterOrEqual(l, times[i+1].Sub(times[i]), streamTick)
			require.LessOrEqual(l, times[i+1].Sub(times[i]), streamBeat)
			require.Less(l, len(events[i+1].Parts), 9, "what did not change is not sent")
		}
		<-ended
		require.Equal(l, streamLife, time.Since(began))
	})
}

// Nothing is sent of what does not change, but for a sign of life.
func TestStreamThatIsQuiet(t *testing.T) {
	inLab(t, func(l lab) {
		e, err := singleton.New(l.Client("a"), singleton.Config{Name: "invoicer", Namespace: "shop"})
		require.NoError(l, err)
		w := newWire()
		stop, _ := stream(Handler(e), w)
		time.Sleep(30 * time.Second)
		stop()
		events, _ := w.sent()
		require.Len(l, events, 7)
		require.Empty(l, events[6].Parts)
	})
}

func TestStreamsAreBounded(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		h := Handler(a)
		var stops []func()
		for range mostStreams {
			stop, _ := stream(h, newWire())
			stops = append(stops, stop)
		}
		w := newWire()
		_, ended := stream(h, w)
		<-ended
		require.Equal(l, http.StatusServiceUnavailable, w.status)
		require.Equal(l, "5", w.header.Get("Retry-After"))
		stops[0]()
		w = newWire()
		stop, _ := stream(h, w)
		require.Equal(l, http.StatusOK, w.status)
		require.Equal(l, typeEvents, w.header.Get("Content-Type"))
		for _, stop := range append(stops[1:], stop) {
			stop()
		}
		w = newWire()
		w.fails = true
		_, ended = stream(h, w)
		<-ended // the client is gone
	})
}

// On a real server, a stream outlasts the server's timeouts, and ends when the server is shut down.
// No goroutine is left.
func TestStreamOnAServer(t *testing.T) {
	whole.Only(t)
	e, err := singleton.New(nowhere{}, singleton.Config{Name: "invoicer", Namespace: "shop"})
	require.NoError(t, err)
	peer := httptest.NewServer(Handler(e))
	pages := map[string]http.Handler{
		"of one":       Handler(e),
		"side by side": SideBySide(func() []string { return []string{peer.URL} }),
	}
	t.Run("both", func(t *testing.T) {
		for name, h := range pages {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				streamOnAServer(t, h)
			})
		}
	})
	peer.CloseClientConnections()
	stacks := func() string {
		buf := make([]byte, 1<<20)
		return string(buf[:runtime.Stack(buf, true)])
	}
	require.Eventually(t, func() bool {
		all := stacks()
		return !strings.Contains(all, "statuspage.(*pe") && !strings.Contains(all, "statuspage.(*pa") &&
			!strings.Contains(all, "http.(*persistConn)")
	}, 10*time.Second, 10*time.Millisecond, "%v", stacks())
	peer.Close()
}

func streamOnAServer(t *testing.T, h http.Handler) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	r.Header.Set("Accept", typeEvents)
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Do(r)
	require.NoError(t, err)
	began, lines := time.Now(), bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	outlasts := false
	for !outlasts && lines.Scan() { // an event comes after streamBeat
		outlasts = strings.HasPrefix(lines.Text(), "data: ") && time.Since(began) > server.Config.WriteTimeout
	}
	require.True(t, outlasts, "%v", lines.Err())
	ctx, cancel := context.WithTimeout(t.Context(), streamLife/2)
	defer cancel()
	require.NoError(t, server.Config.Shutdown(ctx), "it does not wait for the stream")
	for lines.Scan() {
	}
	require.NoError(t, lines.Err(), "the stream ended in order")
	response.Body.Close()
	client.CloseIdleConnections()
	server.Close()
}
