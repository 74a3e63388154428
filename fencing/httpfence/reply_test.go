package httpfence_test

import (
	"bufio"
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

	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// shape is what a ResponseWriter says that it can do.
func shape(w http.ResponseWriter) (can [3]bool) {
	_, can[0] = w.(http.Flusher)
	_, can[1] = w.(http.Hijacker)
	_, can[2] = w.(http.Pusher)
	return can
}

// The middleware neither hides what a ResponseWriter can do nor makes things up.
func TestResponseWriterKeepsItsShape(t *testing.T) {
	guarded := newServer(t, httpfence.ServerConfig{Guard: newMemory(t, 0)})
	through := func(w http.ResponseWriter, r *http.Request) (inner [3]bool) {
		r.Header.Set(httpfence.HeaderToken, wire("42"))
		guarded.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { inner = shape(w) })).ServeHTTP(w, r)
		return inner
	}
	versions(t, func(t *testing.T, h2 bool) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, shape(w), through(w, r))
			assert.Equal(t, [3]bool{true, !h2, h2}, shape(w))
		}))
		s.EnableHTTP2 = h2
		s.StartTLS()
		t.Cleanup(s.Close)
		answer, err := s.Client().Get(s.URL)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	})
	type (
		plain   struct{ http.ResponseWriter }
		flusher struct {
			http.ResponseWriter
			http.Flusher
		}
		hijacker struct {
			http.ResponseWriter
			http.Hijacker
		}
		pusher struct {
			http.ResponseWriter
			http.Pusher
		}
		all struct {
			http.ResponseWriter
			http.Flusher
			http.Hijacker
			http.Pusher
		}
		hijackingPusher struct {
			http.ResponseWriter
			http.Hijacker
			http.Pusher
		}
	)
	recorder := httptest.NewRecorder()
	for _, w := range []http.ResponseWriter{
		recorder, plain{recorder}, flusher{recorder, recorder}, hijacker{recorder, nil}, pusher{recorder, nil}, all{recorder, recorder, nil, nil}, hijackingPusher{recorder, nil, nil},
	} {
		require.Equal(t, shape(w), through(w, httptest.NewRequest(http.MethodPost, "/", nil)), "%T", w)
	}
}

// Each thing that a ResponseController does arrives at the connection.
func TestResponseControllerWorks(t *testing.T) {
	inside := func(t *testing.T, h func(w http.ResponseWriter, c *http.ResponseController)) *http.Response {
		s := newStage(t, false, func(w http.ResponseWriter, _ *http.Request) error { h(w, http.NewResponseController(w)); return nil })
		answer, err := s.post(t, nil)()
		require.NoError(t, err)
		return answer
	}
	inside(t, func(w http.ResponseWriter, c *http.ResponseController) {
		assert.NoError(t, c.EnableFullDuplex())
		assert.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		assert.NoError(t, c.SetWriteDeadline(time.Now().Add(patience)))
		n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("abc"))
		_, written := io.WriteString(w, "def")
		if err := errors.Join(err, written, c.Flush()); err != nil {
			t.Error(err)
		}
		assert.EqualValues(t, 3, n)
	})
	for name, hijack := range map[string]func(w http.ResponseWriter, c *http.ResponseController) (net.Conn, *bufio.ReadWriter, error){
		"controller": func(_ http.ResponseWriter, c *http.ResponseController) (net.Conn, *bufio.ReadWriter, error) {
			return c.Hijack()
		},
		"assertion": func(w http.ResponseWriter, _ *http.ResponseController) (net.Conn, *bufio.ReadWriter, error) {
			return w.(http.Hijacker).Hijack() //nolint:forcetypeassert // the middleware does not hide it
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := inside(t, func(w http.ResponseWriter, c *http.ResponseController) {
				conn, rw, err := hijack(w, c)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				_, err = rw.WriteString("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
				assert.NoError(t, errors.Join(err, rw.Flush()))
			})
			require.Equal(t, http.StatusTeapot, answer.StatusCode)
		})
	}
	require.ErrorIs(t, func() (err error) {
		guarded := newServer(t, httpfence.ServerConfig{Guard: newMemory(t, 0)})
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(httpfence.HeaderToken, wire("42"))
		guarded.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			err = http.NewResponseController(w).Flush()
		})).ServeHTTP(struct{ http.ResponseWriter }{httptest.NewRecorder()}, r)
		return err
	}(), http.ErrNotSupported)
}
