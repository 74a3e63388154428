package httpfence_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// patience bounds waits for what must come.
const patience = 30 * time.Second

// stage is a fenced handler on a real server, and a request under token 42 that has reached it.
type stage struct {
	guard  *fencing.Memory
	server *httptest.Server
	ended  chan error // what the handler returned
}

// newStage serves h; with h2, over HTTP/2.
func newStage(t *testing.T, h2 bool, h func(w http.ResponseWriter, r *http.Request) error) *stage {
	s := &stage{guard: newMemory(t, patience), ended: make(chan error, 1)}
	f := newServer(t, httpfence.ServerConfig{Guard: s.guard})
	s.server = httptest.NewUnstartedServer(f.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ended <- h(w, r)
	})))
	if h2 {
		s.server.EnableHTTP2 = true
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	t.Cleanup(s.server.Close)
	return s
}

// post sends body under token 42; the returned response is for whoever wants it.
func (s *stage) post(t *testing.T, body io.Reader) (response func() (*http.Response, error)) {
	ctx, cancel := context.WithCancel(under(t, token(42)))
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.URL, body)
	require.NoError(t, err)
	c := http.Client{Transport: newTransport(t, httpfence.TransportConfig{Base: s.server.Client().Transport})}
	type result struct {
		*http.Response
		error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := c.Do(r)
		done <- result{answer, err}
	}()
	return func() (*http.Response, error) {
		select {
		case r := <-done:
			return r.Response, r.error
		case <-time.After(patience):
			t.Fatal("no response")
			return nil, nil
		}
	}
}

// supersede announces token 43; it must be admitted, and the handler be over by then.
func (s *stage) supersede(t *testing.T) error {
	require.NoError(t, s.guard.Announce(t.Context(), token(43)))
	select {
	case err := <-s.ended:
		return err
	default:
		t.Fatal("the newer token was admitted beside the handler")
		return nil
	}
}

func versions(t *testing.T, test func(t *testing.T, h2 bool)) {
	t.Run("HTTP1", func(t *testing.T) { test(t, false) })
	t.Run("HTTP2", func(t *testing.T) { test(t, true) })
}

// halfBody gives one byte and then nothing, until the test ends.
func halfBody(t *testing.T) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() { _, _ = w.Write([]byte("x")) }()
	return r
}

func TestBlockedReadEnds(t *testing.T) {
	versions(t, func(t *testing.T, h2 bool) {
		reading := make(chan struct{})
		s := newStage(t, h2, func(w http.ResponseWriter, r *http.Request) error {
			first := make([]byte, 1)
			if _, err := io.ReadFull(r.Body, first); err != nil {
				return err
			}
			close(reading)
			_, err := io.ReadAll(r.Body)
			httpfence.Refuse(w, err)
			return err
		})
		response := s.post(t, halfBody(t))
		<-reading
		err := s.supersede(t)
		var stale *fencing.StaleError
		require.ErrorAs(t, err, &stale)
		require.Equal(t, fencing.StaleError{Presented: token(42), Mark: token(43)}, *stale)
		if !h2 {
			_, err = response()
			require.ErrorIs(t, err, fencing.ErrStale, "what the handler answers after it was cut off arrives")
		}
	})
}

// The same for a handler that flushes first: the server reads the body away before it sends a header.
func TestBlockedFlushEnds(t *testing.T) {
	flushing := make(chan struct{})
	s := newStage(t, false, func(w http.ResponseWriter, r *http.Request) error {
		close(flushing)
		return http.NewResponseController(w).Flush()
	})
	s.post(t, halfBody(t))
	<-flushing
	_ = s.supersede(t)
}

func TestBlockedWriteEnds(t *testing.T) {
	versions(t, func(t *testing.T, h2 bool) {
		writing := make(chan struct{})
		s := newStage(t, h2, func(w http.ResponseWriter, r *http.Request) error {
			chunk := make([]byte, 1<<20)
			for i := 0; ; i++ { // nobody reads: buffers fill, then Write blocks
				if i == 1 {
					close(writing)
				}
				if _, err := w.Write(chunk); err != nil {
					return err
				}
			}
		})
		response := s.post(t, nil)
		<-writing
		require.Error(t, s.supersede(t))
		answer, err := response()
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
		}
		require.Error(t, err, "a response that was cut does not look complete")
	})
}

func TestStreamingHandlerSeesItsContextEnd(t *testing.T) {
	versions(t, func(t *testing.T, h2 bool) {
		s := newStage(t, h2, func(w http.ResponseWriter, r *http.Request) error {
			if _, err := io.WriteString(w, "event\n"); err != nil {
				return err
			}
			w.(http.Flusher).Flush() //nolint:forcetypeassert // the middleware does not hide it
			<-r.Context().Done()
			return context.Cause(r.Context())
		})
		answer, err := s.post(t, nil)()
		require.NoError(t, err)
		line, err := bufio.NewReader(answer.Body).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "event\n", line)
		cause := s.supersede(t)
		require.ErrorIs(t, cause, fencing.ErrStale)
		require.ErrorIs(t, cause, context.Canceled)
	})
}

// A context that ended earlier, for a reason of its own, does not hide the newer term.
func TestBlockedReadEndsAlsoAfterItsContext(t *testing.T) {
	guard, ended, reading := newMemory(t, patience), make(chan error, 1), make(chan struct{})
	fenced := newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(reading)
		_, err := io.ReadAll(r.Body)
		ended <- err
	}))
	s := &stage{guard: guard, ended: ended}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		fenced.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(s.server.Close)
	s.post(t, halfBody(t))
	<-reading
	require.Error(t, s.supersede(t))
}

// What the server has read ahead is not given out either.
func TestReadAheadIsNotReadAfterTheTerm(t *testing.T) {
	waiting := make(chan struct{})
	s := newStage(t, false, func(_ http.ResponseWriter, r *http.Request) error {
		first := make([]byte, 1)
		if _, err := io.ReadFull(r.Body, first); err != nil {
			return err
		}
		close(waiting)
		<-r.Context().Done()
		n, err := r.Body.Read(first)
		assert.Zero(t, n)
		return err
	})
	s.post(t, strings.NewReader("two"))
	<-waiting
	require.ErrorIs(t, s.supersede(t), fencing.ErrStale)
}

// The core promise: between check and effect a request is parked; when a newer announcement has returned, its effect
// has happened before, or never will.
func TestParkedRequestHasNoEffectAfterANewerTerm(t *testing.T) {
	effects, parked, resume := make(chan string, 1), make(chan struct{}), make(chan struct{})
	s := newStage(t, false, func(_ http.ResponseWriter, r *http.Request) error {
		close(parked)
		<-resume // deaf to its context
		effects <- "landed"
		return nil
	})
	s.post(t, nil)
	<-parked
	announced := make(chan error, 1)
	go func() { announced <- s.guard.Announce(t.Context(), token(43)) }()
	select {
	case err := <-announced:
		t.Fatalf("announced beside a parked request: %v", err)
	case <-time.After(50 * time.Millisecond): // enough to be wrong in
	}
	close(resume)
	require.NoError(t, <-announced)
	require.Equal(t, "landed", <-effects, "before the announcement returned")
	_, err := s.post(t, nil)()
	require.ErrorIs(t, err, fencing.ErrStale)
	require.Empty(t, effects)
}

// One connection serves on after a request that was in time, and after one whose handler was told to end.
func TestConnectionIsUsable(t *testing.T) {
	guard := newMemory(t, patience)
	conns := make(chan net.Conn, 10)
	inside := make(chan struct{}, 10)
	s := httptest.NewUnstartedServer(newServer(t, httpfence.ServerConfig{Guard: guard}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
		}
		_, err := io.Copy(w, r.Body)
		if err != nil {
			httpfence.Refuse(w, err)
		}
	})))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- c
		}
	}
	s.Config.WriteTimeout = patience
	s.Start()
	t.Cleanup(s.Close)
	c := client(t)
	ask := func(tok fencing.Token, path string) *http.Request {
		return request(under(t, tok), t, http.MethodPost, s.URL+path, "hello")
	}
	post := func(r *http.Request) (string, error) {
		answer, err := c.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return string(text), err
	}
	for range 3 {
		text, err := post(ask(token(42), "/"))
		require.NoError(t, err)
		require.Equal(t, "hello", text)
		<-inside
	}
	require.Len(t, conns, 1)
	held, ended := ask(token(42), "/wait"), make(chan error, 1)
	go func() { _, err := post(held); ended <- err }()
	<-inside
	require.NoError(t, guard.Announce(t.Context(), token(43)))
	require.ErrorIs(t, <-ended, fencing.ErrStale)
	for range 3 {
		text, err := post(ask(token(43), "/"))
		require.NoError(t, err)
		require.Equal(t, "hello", text)
	}
}

// Hijacking works; while the handler lives, its connection is cut like any other.
func TestHijackedConnectionIsCut(t *testing.T) {
	reading := make(chan struct{})
	s := newStage(t, false, func(w http.ResponseWriter, _ *http.Request) error {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
			return err
		}
		if err := rw.Flush(); err != nil {
			return err
		}
		close(reading)
		_, err = rw.ReadByte()
		return err
	})
	answer, err := s.post(t, nil)()
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, answer.StatusCode)
	<-reading
	err = s.supersede(t)
	var timeout net.Error
	require.True(t, errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
}
