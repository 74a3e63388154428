package serving

import (
	"bufio"
	"context"
	"net"
	"sync"
)

// Hijack implements [http.Hijacker]. Writes to the connection fail once the term is over, and it is
// closed then. Work does not return before that.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	err := a.entry.Err()
	if a.status != 0 && err == nil {
		err = a.send()
	}
	if err != nil {
		return nil, nil, err
	}
	conn, rw, err := a.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	a.is.hijacked = true
	a.mu.Unlock()
	t := a.entry.term
	t.requests.Add(1) // the handler's own is still there
	closed := sync.OnceFunc(t.requests.Done)
	h := &hijacked{Conn: conn, entry: a.entry}
	stop := context.AfterFunc(t.ctx, func() {
		defer closed()
		breakOff(conn)
	})
	h.leave = func() {
		if stop() {
			closed()
		}
	}
	_ = rw.Flush() // there is nothing, unless a middleware has written something
	rw.Writer.Reset(h)
	return h, rw, nil
}

// hijacked is a connection that is closed at the end of a term.
type hijacked struct {
	net.Conn
	entry *Entry
	leave func() // it needs no closing any more
}

// Write asks for the term: a process that was frozen is not told of the end at once.
func (h *hijacked) Write(p []byte) (int, error) {
	if err := h.entry.Err(); err != nil {
		return 0, err
	}
	return h.Conn.Write(p)
}

func (h *hijacked) Close() error {
	defer h.leave()
	return h.Conn.Close()
}

// breakOff closes a connection without the farewell of TLS, which waits 5 s for a client that does
// not read.
func breakOff(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		_ = secure.NetConn().Close()
	}
	_ = conn.Close()
}
