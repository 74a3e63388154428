//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// network is what etcd's members reach each other by. Each has a forward proxy of its own, which so
// knows who asks whom. Their peer URLs have addresses that nobody has: Go asks no proxy for loopback.
type network struct {
	peers   []string // ports
	proxies []*http.Server
	ports   []string
	serving sync.WaitGroup

	mu    sync.Mutex
	lines map[line]span
}

// line leads from a member to another.
type line struct{ from, to int }

// span is how long a line stands.
type span struct {
	ctx context.Context
	cut context.CancelFunc
}

// peerURL is that of a member, in a net for documentation (RFC 5737).
func peerURL(member int) string { return fmt.Sprintf("http://192.0.2.%d:2380", member+1) }

func newNetwork(peers []string) (_ *network, err error) {
	n := &network{peers: peers, lines: map[line]span{}}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	for from := range peers {
		for to := range peers {
			n.stand(line{from, to})
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		proxy := &http.Server{
			Handler: n.proxy(from), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		}
		n.proxies, n.ports = append(n.proxies, proxy), append(n.ports, port)
		n.serving.Go(func() { _ = proxy.Serve(l) })
	}
	return n, nil
}

// proxy passes on what a member asks others.
func (n *network) proxy(from int) http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Host = "127.0.0.1:" + n.peers[n.member(r.In)]
			r.Out.Host = r.In.Host
		},
		FlushInterval: -1, // streams
		Transport:     &http.Transport{DisableKeepAlives: true},
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := n.member(r)
		if to < 0 {
			http.Error(w, "no member of etcd has this address", http.StatusBadGateway)
			return
		}
		standing := n.standing(line{from, to})
		if standing.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(standing, cancel)()
		forward.ServeHTTP(w, r.WithContext(ctx))
	})
}

// member is whom a request is for; -1: nobody.
func (n *network) member(r *http.Request) int {
	for i := range n.peers {
		if strings.TrimPrefix(peerURL(i), "http://") == r.URL.Host {
			return i
		}
	}
	return -1
}

func (n *network) standing(l line) context.Context {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines[l].ctx
}

// stand has a line stand, if it does not.
func (n *network) stand(l line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, ok := n.lines[l]; ok && s.ctx.Err() == nil {
		return
	}
	ctx, cut := context.WithCancel(context.Background())
	n.lines[l] = span{ctx, cut}
}

// cut breaks the lines from and to a member.
func (n *network) cut(member int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l, s := range n.lines {
		if l.from == member || l.to == member {
			s.cut()
		}
	}
}

func (n *network) mend(member int) {
	for other := range n.peers {
		n.stand(line{member, other})
		n.stand(line{other, member})
	}
}

// env is what has a member ask its proxy.
func (n *network) env(member int) []string {
	return []string{"env", "NO_PROXY=", "no_proxy=", "HTTP_PROXY=http://127.0.0.1:" + n.ports[member]}
}

func (n *network) close() {
	for i, proxy := range n.proxies {
		n.cut(i)
		_ = proxy.Close()
	}
	n.serving.Wait()
	for l := range n.lines {
		n.lines[l].cut()
	}
}
