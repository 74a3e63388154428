package serving

import (
	"crypto/tls"
	"net"
	"net/http"
)

// use of a connection.
type use struct {
	by   *term // that it was opened or last used in; nil if there was none
	idle bool
}

// ConnState is an [http.Server]'s ConnState. With it, the connections that were opened or used in a
// term are closed at its end: idle ones at once, others when they become idle. The client or proxy
// at the other end then connects anew, and reaches the next active replica. An HTTP/2 connection
// that is not idle at the end of the term stays open until its next request, whose 503 closes it.
// Without ConnState, every connection stays open like that. Over HTTP/2 without TLS, a connection
// may be closed before a request in flight has got its 503.
//
// If the server has a ConnState of its own, call this one from it.
func (g *Gate) ConnState(conn net.Conn, state http.ConnState) {
	if g.changed(conn, state) {
		_ = conn.Close() // the server notices, and reports StateClosed
	}
}

// changed reports whether the connection has outlived its term, and may be closed.
func (g *Gate) changed(conn net.Conn, state http.ConnState) (outlived bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		g.conns[conn] = &use{by: g.term, idle: state == http.StateNew}
	case http.StateIdle:
		if u := g.conns[conn]; u != nil {
			u.idle = true
			return u.by != nil && !u.by.lasts() && !multiplexed(conn)
		}
	case http.StateHijacked, http.StateClosed:
		delete(g.conns, conn)
	}
	return false
}

// multiplexed reports whether conn speaks HTTP/2. Such a connection is said to be idle before the
// end of its last answer was sent.
func multiplexed(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

// closeIdle closes the idle connections of a term that is over.
func (g *Gate) closeIdle(t *term) {
	for _, conn := range g.idle(t) {
		_ = conn.Close()
	}
}

func (g *Gate) idle(t *term) (conns []net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn, u := range g.conns {
		if u.by == t && u.idle {
			conns = append(conns, conn)
		}
	}
	return conns
}
