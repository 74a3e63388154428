package singleton

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
)

// reconnecting has the client of config leave connections that have died without
// a word. All its requests share one, for HTTP/2, and client-go itself notices only
// after 45 s (a ping after 30 s, 15 s for its answer): three times as long as a lease.
func reconnecting(config *rest.Config) {
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout}).DialContext)
	config.Dial = dialer.DialContext
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &reconnector{next: next, leave: dialer.CloseAll}
	})
}

const (
	// dialTimeout is client-go's own, and as often are the kernel's keep-alives sent.
	dialTimeout = 30 * time.Second

	// timeoutsAtMost in a row, with no answer to anything, before new connections are
	// tried. One alone may be a slow server; with two, at a quarter of RenewDeadline
	// each, there is time left to renew.
	timeoutsAtMost = 2
)

// reconnector counts requests that ran out of time.
type reconnector struct {
	next     http.RoundTripper
	leave    func() // closes all connections
	timeouts atomic.Int32
}

// RoundTrip is that of the next one. A server that refuses is alive as well.
func (r *reconnector) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	switch {
	case err == nil:
		r.timeouts.Store(0)
	case errors.Is(request.Context().Err(), context.DeadlineExceeded):
		if r.timeouts.Add(1)%timeoutsAtMost == 0 {
			r.leave()
		}
	}
	return response, err
}
