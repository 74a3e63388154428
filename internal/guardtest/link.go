package guardtest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a way to a TCP server that loses connections: before a request came
// through, or after, so that the client misses the answer. It listens on a free
// loopback port.
type Link struct {
	target   string
	listener net.Listener
	odds     int

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  bool
	all   sync.WaitGroup
}

// NewLink returns a link to target, host:port, that loses one of odds reads of
// what clients send and delays others by up to 3 ms. Odds of 0 lose nothing. It
// ends with the test.
func NewLink(t testing.TB, target string, odds int) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	l := &Link{target: target, listener: listener, odds: odds, conns: map[net.Conn]struct{}{}}
	l.all.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

// Addr is where clients connect.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut closes all connections there are.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *Link) close() {
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	_ = l.listener.Close()
	l.Cut()
	l.all.Wait()
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.all.Go(func() { l.serve(client) })
	}
}

// hold keeps c for Cut; false when the link is closed.
func (l *Link) hold(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		_ = c.Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Link) drop(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *Link) serve(client net.Conn) {
	if !l.hold(client) {
		return
	}
	defer l.drop(client)
	server, err := net.Dial("tcp", l.target)
	if err != nil || !l.hold(server) {
		return
	}
	defer l.drop(server)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_ = l.forward(server, client)
	_ = server.Close()
	back.Wait()
}

var errLost = errors.New("lost")

// forward copies what the client sends, and loses the connection between two
// reads: before the server got the last one, or once it has it and could act on it.
func (l *Link) forward(server, client net.Conn) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return err
		}
		lost := l.odds > 0 && rand.IntN(l.odds) == 0
		if lost && rand.IntN(2) == 0 {
			return errLost
		}
		if l.odds > 0 && rand.IntN(8) == 0 {
			time.Sleep(rand.N(latest))
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return err
		}
		if lost {
			_ = client.Close() // the answer finds nobody
			time.Sleep(rand.N(latest))
			return errLost
		}
	}
}
