package httpfence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrRedirected: a request that may write was redirected to another scheme, host or port than the
// caller's. Nothing was sent there. The token is only for the server that the caller chose, and
// without it the write would not be fenced. Do not retry.
var ErrRedirected = errors.New("httpfence: redirected to another server")

// TransportConfig configures a [Transport]. The zero value is ready to use.
type TransportConfig struct {
	// Base sends the requests. Default: [http.DefaultTransport].
	Base http.RoundTripper

	// Server, if set, is the URL of the only server that gets tokens. Scheme, host and port count. A
	// request to another server is treated as if it had been redirected there. Set Server if a
	// RoundTripper around this one makes its own requests. Such a RoundTripper may hide that a request
	// was redirected.
	Server string
}

// Transport is an [http.RoundTripper] that sends each request with the token in the request's
// context ([fencing.FromContext]), in the header field Fencing-Token. It turns a refusal back into
// an error. Make one with [NewTransport]. It is safe for concurrent use.
//
// RoundTrip sends nothing and fails in two cases:
//   - There is no token: [fencing.ErrMissing]. Reads fail too: outside of a term, use another
//     client. Under [fencing.AllowUnfenced] the request is sent without a token.
//   - The request already has a Fencing-Token: [fencing.ErrMalformed].
//
// A refusal is an error, and [http.Client] wraps it:
//   - 412 with a newer Fencing-High-Water is a [*fencing.StaleError].
//   - 409 with a Fencing-High-Water of another term with the same epoch is a
//     [*fencing.ConflictError].
//   - 412 or 409 with a Fencing-High-Water that contradicts the status is [fencing.ErrUnavailable].
//     Without a Fencing-High-Water it is the handler's own answer.
//   - Any other status of the table in the package comment is a refusal if the Fencing-Refused of
//     its row comes with it.
//
// The first two are passed on to the term ([fencing.Report]).
//
// A token is only sent to the scheme, host and port that the request was made for. GET, HEAD and
// OPTIONS follow a redirect to another server without the token, and have none even if a later
// redirect leads back. Any other request that is redirected to another server fails with
// [ErrRedirected].
type Transport struct {
	base   http.RoundTripper
	server origin // zero: the server that each request is made for
}

// NewTransport returns a transport. It fails if cfg.Server is set and is not the URL of a server.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	t := &Transport{base: cmp.Or[http.RoundTripper](cfg.Base, http.DefaultTransport)}
	if cfg.Server != "" {
		u, err := parseServer(cfg.Server)
		if err != nil {
			return nil, fmt.Errorf("httpfence: TransportConfig.Server: %w", err)
		}
		t.server = originOf(u)
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.tokenFor(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	if token.IsZero() {
		return t.base.RoundTrip(r)
	}
	value, err := Format(token)
	if err != nil {
		return nil, err
	}
	// The caller's request stays unchanged: a Client copies the header of that request to redirected
	// ones.
	stamped := r.WithContext(r.Context())
	stamped.Header = r.Header.Clone()
	stamped.Header.Set(HeaderToken, value)
	answer, err := t.base.RoundTrip(stamped)
	if err != nil {
		return nil, err
	}
	answer.Request = r
	if err := refusal(answer, token); err != nil {
		discard(answer.Body)
		return nil, fencing.Report(r.Context(), err)
	}
	return answer, nil
}

// tokenFor returns the token to send r with. It is zero if r is to be sent without a token.
func (t *Transport) tokenFor(r *http.Request) (fencing.Token, error) {
	if hasToken(r.Header) {
		return fencing.Token{}, fmt.Errorf("%w: the request already has a %s",
			fencing.ErrMalformed, HeaderToken)
	}
	token, ok := fencing.FromContext(r.Context())
	if fencing.Unfenced(r.Context(), token) {
		return fencing.Token{}, nil
	}
	if !ok {
		return fencing.Token{}, fmt.Errorf("%w in the request's context", fencing.ErrMissing)
	}
	first, stayed := home(r)
	if stayed && cmp.Or(t.server, first) == first {
		return token, token.Validate()
	}
	if writes(r) {
		return fencing.Token{}, fmt.Errorf("%w: %s %s, was for %v",
			ErrRedirected, r.Method, originOf(r.URL), cmp.Or(t.server, first))
	}
	return fencing.Token{}, nil
}

// hasToken reports whether h has a token, whatever the case of the field's name. A token under
// another spelling would go wherever a redirect leads.
func hasToken(h http.Header) bool {
	for name, values := range h {
		if len(values) > 0 && strings.EqualFold(name, HeaderToken) {
			return true
		}
	}
	return false
}

// CloseIdleConnections closes the idle connections of Base, if Base can do that.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// writes reports whether r may have an effect. A connection that changes its protocol may carry
// anything.
func writes(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions: // a client's "" is GET
		return r.Header.Get("Upgrade") != ""
	default:
		return true
	}
}

// discard makes the connection usable again if little is left on it.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	_ = body.Close()
}
