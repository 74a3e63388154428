package serving_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
)

// slow is a connection that takes its time to close.
type slow struct {
	net.Conn
	closing, release chan struct{}
	once             *sync.Once
}

func (s slow) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.release
	return s.Conn.Close()
}

type slowListener struct {
	net.Listener
	closing, release chan struct{}
}

func (s slowListener) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slow{conn, s.closing, s.release, new(sync.Once)}, nil
}

// Between the end of the term and the closing of a hijacked connection, nothing is written to it,
// and the Lease is kept.
func TestAHijackedConnectionBelongsToTheTerm(t *testing.T) {
	l := newLab(t)
	a := l.active("a")
	type taken struct {
		net.Conn
		*bufio.ReadWriter
	}
	took := make(chan taken, 1)
	s := httptest.NewUnstartedServer(a.gate.RequireActive(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			assert.NoError(l, err)
			took <- taken{conn, rw}
		})))
	closing, release := make(chan struct{}), make(chan struct{})
	s.Listener = slowListener{s.Listener, closing, release}
	s.Start()
	defer s.Close()
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	conn, _ := dial(l, s.URL, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	defer func() { _ = conn.Close() }()
	c := <-took

	a.SetEligible(false)
	a.Resign()
	<-closing
	_, err := c.Conn.Write([]byte("late"))
	require.ErrorIs(l, err, serving.ErrNotActive)
	_, _ = c.WriteString("late")
	require.ErrorIs(l, c.Flush(), serving.ErrNotActive)
	time.Sleep(100 * time.Millisecond) // a release would be done by then
	require.NotEqual(l, singleton.StateStandby, a.Status().State, "it keeps the Lease")
	letGo()
	await(l, func() bool { return a.Status().State == singleton.StateStandby })
}

// What of a body arrived before the end of the term is not read after it.
func TestABodyThatArrivedIsCut(t *testing.T) {
	l := newLab(t)
	a := l.active("a")
	in, read := make(chan struct{}), make(chan error, 1)
	s := l.server(a, false, func(_ http.ResponseWriter, r *http.Request) {
		close(in)
		<-r.Context().Done()
		text, err := io.ReadAll(r.Body)
		assert.Empty(l, text)
		read <- err
	})
	conn, _ := dial(l, s.URL, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\npay")
	defer func() { _ = conn.Close() }()
	<-in
	l.ends(a)
	require.ErrorIs(l, <-read, serving.ErrNotActive)
}
