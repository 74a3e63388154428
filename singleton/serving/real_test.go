package serving_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// Over real connections. Each term is ended by Resign, and no replica follows.

// ends demands that the replica's term ends, its requests and connections notwithstanding.
func (l lab) ends(r *replica) {
	l.Helper()
	r.SetEligible(false)
	r.Resign()
	await(l, func() bool { return r.Status().State == singleton.StateStandby })
}

func overEach(t *testing.T, f func(l lab, http2 bool)) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { f(newLab(t), http2) })
	}
}

// A client that does not read cannot hold the term up, and sees that the body is not whole.
func TestABlockedBodyIsCut(t *testing.T) {
	overEach(t, func(l lab, http2 bool) {
		a := l.active("a")
		blocks := make(chan error, 1)
		s := l.server(a, http2, func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 64<<10)
			for {
				if _, err := w.Write(chunk); err != nil { // it does not look at its context
					blocks <- err
					return
				}
			}
		})
		answer, err := s.Client().Get(s.URL)
		require.NoError(l, err)
		defer answer.Body.Close()
		require.Equal(l, http.StatusOK, answer.StatusCode)
		l.ends(a)
		require.Error(l, <-blocks)
		_, err = io.Copy(io.Discard, answer.Body)
		require.Error(l, err)
		answer, err = s.Client().Get(s.URL)
		require.NoError(l, err)
		defer answer.Body.Close()
		require.Equal(l, http.StatusServiceUnavailable, answer.StatusCode)
	})
}

// A client that does not send cannot hold the term up either, and gets its 503.
func TestABlockedRequestIsCut(t *testing.T) {
	overEach(t, func(l lab, http2 bool) {
		a := l.active("a")
		in := make(chan struct{})
		s := l.server(a, http2, func(w http.ResponseWriter, r *http.Request) {
			close(in)
			_, err := io.ReadAll(r.Body)
			assert.Error(l, err)
			<-r.Context().Done()
			assert.ErrorIs(l, context.Cause(r.Context()), singleton.ErrResigned)
			http.Error(w, err.Error(), http.StatusBadRequest)
		})
		body, send := io.Pipe()
		defer func() { _ = send.Close() }()
		got := make(chan string, 1)
		go func() {
			answer, err := s.Client().Post(s.URL, "text/plain", body)
			if err != nil {
				got <- err.Error()
				return
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			got <- fmt.Sprint(answer.Status, string(text), err)
		}()
		_, err := io.WriteString(send, "half of i")
		require.NoError(l, err)
		<-in
		l.ends(a)
		text := <-got
		require.Contains(l, text, "503 Service Unavailable")
		require.Contains(l, text, `"handled":true`)
	})
}

// dial opens a connection, and sends text.
func dial(t require.TestingT, url, text string) (net.Conn, *bufio.Reader) {
	conn, err := (&net.Dialer{}).Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn, bufio.NewReader(conn)
}

func TestAHijackedConnectionIsClosed(t *testing.T) {
	l := newLab(t)
	a := l.active("a")
	s := l.server(a, false, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(l, err) {
			return
		}
		_, _ = fmt.Fprint(rw, "hello\n")
		_ = rw.Flush()
		if r, _, _ := rw.ReadLine(); string(r) == "bye" {
			_ = conn.Close()
		}
	})
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	conn, r := dial(l, s.URL, request)
	defer func() { _ = conn.Close() }()
	other, ro := dial(l, s.URL, request+"bye\n")
	defer func() { _ = other.Close() }()
	for _, r := range []*bufio.Reader{r, ro} {
		line, err := r.ReadString('\n')
		require.NoError(l, err)
		require.Equal(l, "hello\n", line)
	}
	_, err := ro.ReadByte()
	require.ErrorIs(l, err, io.EOF, "closed by the handler")
	l.ends(a)
	_, err = r.ReadByte()
	require.Error(l, err)
	require.NotErrorIs(l, err, context.DeadlineExceeded)
}

// Idle connections of the term are closed with it; others are not.
func TestIdleConnectionsAreClosed(t *testing.T) {
	l := newLab(t)
	a := l.replica("a")
	s := l.server(a, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	s.Config.Handler = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				return
			}
			next.ServeHTTP(w, r)
		})
	}(s.Config.Handler)
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }
	answer := func(r *bufio.Reader) int {
		answer, err := http.ReadResponse(r, nil)
		require.NoError(l, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(l, err)
		return answer.StatusCode
	}
	before, rb := dial(l, s.URL, get("/readyz")) // before the term, and not used in it
	defer func() { _ = before.Close() }()
	require.Equal(l, http.StatusOK, answer(rb))
	l.run(a)
	await(l, func() bool {
		e, err := a.gate.Enter(l.Context())
		if err == nil {
			e.Leave()
		}
		return err == nil
	})
	used, ru := dial(l, s.URL, get("/"))
	defer func() { _ = used.Close() }()
	require.Equal(l, http.StatusOK, answer(ru))
	l.ends(a)
	_, err := ru.ReadByte()
	require.ErrorIs(l, err, io.EOF)
	_, err = io.WriteString(before, get("/readyz"))
	require.NoError(l, err)
	require.Equal(l, http.StatusOK, answer(rb))
	_, err = io.WriteString(before, get("/"))
	require.NoError(l, err)
	require.Equal(l, http.StatusServiceUnavailable, answer(rb))
	_, err = rb.ReadByte()
	require.ErrorIs(l, err, io.EOF, "after a 503")
}

// A panic goes on to the server, and holds nothing up.
func TestAPanicGoesOn(t *testing.T) {
	l := newLab(t)
	a := l.active("a")
	s := l.server(a, false, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("so")
	})
	_, err := s.Client().Get(s.URL)
	require.Error(l, err)
	l.ends(a)
}

// What a handler writes arrives as it would without the gate.
func TestAnswersArriveUnchanged(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"/nothing": func(http.ResponseWriter, *http.Request) {},
		"/text":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>short") },
		"/status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot)
		},
		"/empty": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, err := io.WriteString(w, "x")
			assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
		},
		"/long": func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				_, _ = io.WriteString(w, "0123456789")
			}
		},
		"/file": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader(strings.Repeat("0123456789", 1000)))
		},
		"/flushed": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "a")
			err := http.NewResponseController(w).Flush()
			assert.True(t, err == nil || r.Method == http.MethodHead, err)
			assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(soon)))
			assert.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(soon)))
			_, _ = io.WriteString(w, "b")
		},
		"/hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</x>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "ok")
		},
		"/trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "ok")
			w.Header().Set("X-Sum", "42")
		},
	}
	overEach(t, func(l lab, http2 bool) {
		a := l.active("a")
		next := func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) }
		gated := l.server(a, http2, next)
		bare := l.server(a, http2, nil)
		bare.Config.Handler = http.HandlerFunc(next)
		for path := range handlers {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				var got [2]string
				for i, s := range []string{gated.URL, bare.URL} {
					r, err := http.NewRequestWithContext(l.Context(), method, s+path, http.NoBody)
					require.NoError(l, err)
					answer, err := gated.Client().Transport.RoundTrip(r)
					require.NoError(l, err)
					body, err := io.ReadAll(answer.Body)
					require.NoError(l, err)
					answer.Header.Del("Date")
					got[i] = fmt.Sprint(answer.Status, answer.Header, answer.ContentLength, answer.Trailer, string(body))
				}
				require.Equal(l, got[1], got[0], "%s %s", method, path)
			}
		}
	})
}
