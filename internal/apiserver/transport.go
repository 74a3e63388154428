package apiserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

// memory carries requests to the cluster without a network.
type memory struct{ c *Cluster }

// RoundTrip runs the server on a goroutine of its own; the answer streams.
func (t memory) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if t.c.Link(userOf(r.Header)).isCut() || !t.c.enter() {
		return nil, errRefused()
	}
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = r.URL.RequestURI()
	a := &memoryAnswer{
		client: r.Context(), cancel: cancel, headers: http.Header{},
		started: make(chan struct{}), more: make(chan struct{}, 1),
	}
	go func() {
		defer t.c.running.Done()
		defer cancel()
		defer a.finish()
		t.c.ServeHTTP(a, in)
	}()
	select {
	case <-a.started:
		return a.response(r)
	case <-r.Context().Done():
		cancel()
		return nil, r.Context().Err()
	}
}

// CancelRequest does nothing: a request ends with its context. client-go asks
// for the method, and warns where it is missing, when an http.Client has a
// Timeout.
func (memory) CancelRequest(*http.Request) {}

// memoryAnswer is both ends of an answer: the server writes it as an
// [http.ResponseWriter], the client reads it as the response body. Its buffer
// is unbounded, so the server never waits for the client.
type memoryAnswer struct {
	client  context.Context
	cancel  context.CancelFunc
	headers http.Header
	started chan struct{} // closed when the status is known, or will never be
	more    chan struct{} // has one element when there may be more to read

	mu   sync.Mutex
	code int // 0 until the status is known
	buf  bytes.Buffer
	err  error // what ends the body
}

func (a *memoryAnswer) Header() http.Header { return a.headers }

func (a *memoryAnswer) WriteHeader(code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(code)
}

// start is called with a.mu held.
func (a *memoryAnswer) start(code int) {
	if a.code == 0 && a.err == nil {
		a.code = code
		close(a.started)
	}
}

func (a *memoryAnswer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(http.StatusOK)
	if a.err != nil {
		return 0, a.err
	}
	a.wake()
	return a.buf.Write(p)
}

// Flush does nothing: what is written can be read at once.
func (a *memoryAnswer) Flush() {}

// end ends the answer: with [io.EOF] when it is complete.
func (a *memoryAnswer) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return
	}
	if errors.Is(err, io.EOF) {
		a.start(http.StatusOK)
	}
	a.err = err
	if a.code == 0 {
		close(a.started)
	}
	a.wake()
}

// finish ends the answer after the handler, which panics to break a connection.
func (a *memoryAnswer) finish() {
	switch p := recover(); p {
	case nil:
		a.end(io.EOF)
	case http.ErrAbortHandler:
		a.end(errReset())
	default:
		a.end(errReset())
		panic(p)
	}
}

func (a *memoryAnswer) wake() {
	select {
	case a.more <- struct{}{}:
	default:
	}
}

func (a *memoryAnswer) response(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.code == 0 {
		return nil, a.err
	}
	return &http.Response{
		Status: http.StatusText(a.code), StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.headers.Clone(), Body: a, ContentLength: -1, Request: r,
	}, nil
}

// Read is the client's; it ends with the client's context.
func (a *memoryAnswer) Read(p []byte) (int, error) {
	for {
		a.mu.Lock()
		n, _ := a.buf.Read(p)
		err := a.err
		a.mu.Unlock()
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if gone := a.client.Err(); gone != nil {
			return 0, gone
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-a.more:
		case <-a.client.Done():
		}
	}
}

// Close is the client's: it needs no more of the answer.
func (a *memoryAnswer) Close() error {
	a.end(net.ErrClosed)
	a.cancel()
	return nil
}

func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

func errRefused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}
