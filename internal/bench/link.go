package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
)

// link is one client's way to the server, which it shares with nobody: replicas
// are processes. It counts what crosses it, and can be cut, which is what the
// server sees of a crash.
type link struct {
	sent, received atomic.Int64 // bytes, by the client; TLS and HTTP/2 included

	mu    sync.Mutex
	conns map[*linkConn]struct{}
	dead  bool
}

func newLink() *link { return &link{conns: map[*linkConn]struct{}{}} }

// over returns config for a client that uses the link.
func (l *link) over(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Dial = l.dial
	return config
}

var errCut = errors.New("the link is cut")

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &linkConn{Conn: conn, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		_ = conn.Close()
		return nil, errCut
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// cut closes all connections and allows no more.
func (l *link) cut() {
	l.mu.Lock()
	l.dead = true
	conns := l.conns
	l.conns = map[*linkConn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
}

// bytes that have crossed.
func (l *link) bytes() int64 { return l.sent.Load() + l.received.Load() }

type linkConn struct {
	net.Conn
	link *link
}

func (c *linkConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.link.received.Add(int64(n))
	return n, err
}

func (c *linkConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.link.sent.Add(int64(n))
	return n, err
}

func (c *linkConn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
