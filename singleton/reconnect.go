package singleton

import (
	"net"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

const (
	// A connection that says nothing for pingAfter is asked, and closed if it says
	// nothing for pingTimeout more. client-go's own are 30 s and 15 s, for all
	// requests share one connection: three times as long as a lease. A server that is
	// slow to answer a request still answers a ping at once.
	pingAfter   = 2 * time.Second
	pingTimeout = 3 * time.Second

	dialTimeout = 30 * time.Second // client-go's own
)

// hardened is a copy of config for the client of an elector: no rate limiter, no
// overall timeout, connections of its own that are left when they are dead, and a
// token file that is read again when its token is refused.
//
// What it cannot do: a Transport that config brings keeps its own connections as they
// are, and over HTTP/1.1 there is no ping.
func hardened(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.RateLimiter = -1, nil
	config.Timeout = 0
	if config.UserAgent == "" {
		rest.AddUserAgent(config, "hotseat")
	}
	leaveDeadConnections(config)
	rereadToken(config)
	return config
}

// leaveDeadConnections has the client of config find dead connections by pings, so
// that no request is given up to find them.
func leaveDeadConnections(config *rest.Config) {
	if config.Transport != nil {
		return // others may be using it
	}
	if config.Dial == nil {
		// For HTTP/1.1 the kernel asks. It cannot tell that a process is frozen.
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: pingAfter, Interval: pingTimeout / 3, Count: 3,
		}}).DialContext
	}
	// client-go shares no transport between configs with a Dial: this one is ours.
	// First of all wrappers, since others may hide what they wrap.
	config.WrapTransport = transport.Wrappers(withPings, config.WrapTransport)
}

// withPings sets up the transport beneath rt, which has not been used yet. It is not
// cloned: what lies between renews certificates, and clones it with these settings.
func withPings(rt http.RoundTripper) http.RoundTripper {
	beneath := rt
	for {
		wrapper, ok := beneath.(utilnet.RoundTripperWrapper)
		if !ok {
			break
		}
		beneath = wrapper.WrappedRoundTripper()
	}
	if t, ok := beneath.(*http.Transport); ok {
		if t.HTTP2 == nil {
			t.HTTP2 = &http.HTTP2Config{}
		}
		t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = pingAfter, pingTimeout
		// With HTTP/1.1, each idle connection that died costs one more request.
		t.MaxIdleConnsPerHost = 1
	}
	return rt
}

// rereadToken has a token file read again after a 401, so that a token which was
// revoked as it was replaced costs one request. client-go alone reads it once a minute.
func rereadToken(config *rest.Config) {
	others := config.Username != "" || config.ExecProvider != nil || config.AuthProvider != nil
	if config.BearerTokenFile == "" || others {
		return // which of them goes first is client-go's affair
	}
	config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(config.BearerTokenFile)))
	config.BearerToken, config.BearerTokenFile = "", ""
}
