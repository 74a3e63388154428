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
	// After pingAfter without a word the client sends a ping; after pingTimeout without
	// its answer it closes the connection. A server that is slow to answer requests
	// still answers pings. With client-go's own 30 s and 15 s, a dead connection would
	// outlive the lease three times over: over HTTP/2, all requests share one.
	pingAfter   = 2 * time.Second
	pingTimeout = 3 * time.Second

	dialTimeout = 30 * time.Second // client-go's own
)

// hardened returns a copy of config for the client of an elector. That client has no
// rate limiter and no overall timeout. It closes dead connections, and shares none with
// other clients. It reads the token file again when the server refuses the token.
//
// If config has a Transport, its connections stay as they are. HTTP/1.1 has no pings.
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
		// For HTTP/1.1: the kernel notices that a machine is gone, not that a process is frozen.
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: pingAfter, Interval: pingTimeout / 3, Count: 3,
		}}).DialContext
	}
	// With a Dial, client-go makes a transport for this client alone, so it can be changed.
	// withPings comes first: other wrappers may hide what they wrap.
	config.WrapTransport = transport.Wrappers(withPings, config.WrapTransport)
}

// withPings changes the transport beneath rt, which has not been used yet. It returns rt
// as it is: the wrappers between reload certificates, and keep these settings.
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
		// Over HTTP/1.1, each idle connection that is dead costs one request.
		t.MaxIdleConnsPerHost = 1
	}
	return rt
}

// rereadToken has the client read its token file again after a 401. A token that was
// replaced and revoked at once then costs one request. client-go alone reads the file
// once a minute.
func rereadToken(config *rest.Config) {
	others := config.Username != "" || config.ExecProvider != nil || config.AuthProvider != nil
	if config.BearerTokenFile == "" || others {
		return // client-go decides which of them it uses
	}
	config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(config.BearerTokenFile)))
	config.BearerToken, config.BearerTokenFile = "", ""
}
