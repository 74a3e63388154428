package writegate_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// whole is a server that keeps which requests came to their end, as an API server needs them.
type whole struct {
	mu  sync.Mutex
	got []string
}

func (s *whole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, r.Method+" "+string(body))
}

func (s *whole) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// serve returns a server of HTTP/1.1 or HTTP/2, and a transport to it.
func (s *whole) serve(t *testing.T, protocol string) (url string, to *http.Transport) {
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = protocol == "HTTP/2.0"
	server.StartTLS()
	t.Cleanup(server.Close)
	to = server.Client().Transport.(*http.Transport)
	t.Cleanup(to.CloseIdleConnections)
	return server.URL, to
}

// A request that waited for its connection until the term was over is not sent, with a body or
// without.
func TestRequestThatWaitsForAConnection(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for method, body := range map[string]string{
			http.MethodPut: `{"kind":"ConfigMap"}`, http.MethodPost: "", http.MethodDelete: "",
		} {
			t.Run(protocol+" "+method, func(t *testing.T) {
				l, server := newLab(t), &whole{}
				url, to := server.serve(t, protocol)
				term := l.lead()
				to.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					l.lose(term)
					return (&net.Dialer{}).DialContext(ctx, network, address)
				}
				err := send(t, l.gate().Transport(to), method, url, body)
				requireRefused(t, err, writegate.ReasonLost)
				to.CloseIdleConnections()
				require.Empty(t, server.requests())
			})
		}
	}
}

// With the gate, what reaches the server is what was sent.
func TestBodiesThroughTheGate(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		l, server := newLab(t), &whole{}
		url, to := server.serve(t, protocol)
		l.lead()
		long := string(bytes.Repeat([]byte("x"), 1<<20))
		for _, body := range []string{"", "x", long} {
			for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
				require.NoError(t, send(t, l.gate().Transport(to), method, url, body))
				require.Equal(t, method+" "+body, server.requests()[len(server.requests())-1])
			}
		}
	}
}

func send(t *testing.T, transport http.RoundTripper, method, url, body string) error {
	var reader io.Reader
	if body != "" {
		reader = bytes.NewReader([]byte(body))
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url+"/api/v1/namespaces/shop/configmaps/x", reader)
	require.NoError(t, err)
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return nil
}

// Once the transport has the whole body, it may have sent it: whatever happens then is no refusal.
// Before that, the body ends in one.
func TestEndOfABody(t *testing.T) {
	const body = "0123456789"
	for name, tt := range map[string]struct {
		declared int64
		read     int // before the term is lost
		refused  bool
	}{
		"the declared length": {declared: 10, read: 10},
		"a part of it":        {declared: 10, read: 9, refused: true},
		"no declared length":  {declared: -1, read: 10, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			term := l.lead()
			gate := l.gate().Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				_, err := io.ReadFull(r.Body, make([]byte, tt.read))
				require.NoError(t, err)
				l.lose(term)
				rest, err := io.ReadAll(r.Body)
				if tt.refused {
					require.Empty(t, rest)
					requireRefused(t, err, writegate.ReasonLost)
					again, err := r.GetBody() // as HTTP/2 does to send the request again
					require.NoError(t, err)
					_, err = io.ReadAll(again)
					requireRefused(t, err, writegate.ReasonLost)
					return nil, io.ErrUnexpectedEOF // in a transport's own words
				}
				require.NoError(t, err)
				return reply(r, http.StatusOK), nil
			}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://api/api/v1/namespaces/shop/configmaps/x", bytes.NewReader([]byte(body)))
			require.NoError(t, err)
			request.ContentLength = tt.declared
			answer, err := gate.RoundTrip(request)
			if tt.refused {
				requireRefused(t, err, writegate.ReasonLost)
				return
			}
			require.NoError(t, err)
			require.Same(t, request, answer.Request)
		})
	}
}

// A request that is refused is closed, as a RoundTripper must.
func TestRefusedBodyIsClosed(t *testing.T) {
	l := newLab(t)
	body := &closing{Reader: bytes.NewReader([]byte("x"))}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://api/api/v1/namespaces/shop/configmaps/x", body)
	require.NoError(t, err)
	_, err = l.gate().Transport(&seen{}).RoundTrip(request)
	requireRefused(t, err, writegate.ReasonStandby)
	require.True(t, body.closed)
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }
