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
	// If the server has sent nothing for pingAfter, the client sends a ping. If the ping is not
	// answered within pingTimeout, the client closes the connection. A server that is slow to answer
	// requests still answers pings. With client-go's own 30 s and 15 s, a dead connection would last
	// three times as long as the lease duration. Over HTTP/2 all requests share one connection.
	pingAfter   = 2 * time.Second
	pingTimeout = 3 * time.Second

	dialTimeout = 30 * time.Second // client-go's default
)

// hardened returns a copy of config for the client of an elector. The client has no rate limiter
// and no overall timeout. It closes dead connections, and shares no connection with other clients.
// It reads the token file again when the server refuses the token.
//
// The client sends no pings over HTTP/1.1, and none if config has a Transport.
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

// leaveDeadConnections makes the client find dead connections by pings. It need not give up
// requests to find them.
func leaveDeadConnections(config *rest.Config) {
	if config.Transport != nil {
		return // others may use the Transport
	}
	if config.Dial == nil {
		// For HTTP/1.1. The kernel notices that a machine is gone, but not that a process is frozen.
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: pingAfter, Interval: pingTimeout / 3, Count: 3,
		}}).DialContext
	}
	// With a Dial, client-go makes a transport for this client alone, so it can be changed.
	// withPings comes first: other wrappers may hide what they wrap.
	config.WrapTransport = transport.Wrappers(withPings, config.WrapTransport)
}

// withPings changes the transport beneath rt, which has not been used yet. It returns rt itself:
// the wrappers in between reload certificates, and keep these settings.
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

// rereadToken makes the client read its token file again after a 401. A token that was replaced and
// revoked at once then costs one failed request. client-go by itself reads the file once a minute.
func rereadToken(config *rest.Config) {
	others := config.Username != "" || config.ExecProvider != nil || config.AuthProvider != nil
	if config.BearerTokenFile == "" || others {
		return // client-go decides which of these it uses
	}
	config.Wrap(transport.ResettableTokenSourceWrapTransport(
		transport.NewCachedFileTokenSource(config.BearerTokenFile)))
	config.BearerToken, config.BearerTokenFile = "", ""
}
