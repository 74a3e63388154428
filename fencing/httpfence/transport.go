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

// ErrRedirected: a redirect led a request that may write to another scheme, host or port than the caller's. Nothing was
// sent there: a token is for the server it was meant for, and without one the write would not be fenced. Do not retry.
var ErrRedirected = errors.New("httpfence: redirected to another server")

// TransportConfig configures a [Transport]. The zero value is ready to use.
type TransportConfig struct {
	// Base sends the requests. Default: [http.DefaultTransport].
	Base http.RoundTripper

	// Server, if set, is the URL of the only server that gets tokens: its scheme, host and port. A request elsewhere is
	// treated as if a redirect had led there. Set it where another RoundTripper around this one makes requests of its
	// own: it may lose the trace of a redirect.
	Server string
}

// Transport is an [http.RoundTripper] that sends each request under the token in its context ([fencing.FromContext]), as
// the header field Fencing-Token, and turns a refusal back into an error. Make one with [NewTransport]; it is safe for
// concurrent use.
//
// RoundTrip fails before anything is sent when there is no token ([fencing.ErrMissing]; reads too: use another client
// where there is no term) or the request has a Fencing-Token already ([fencing.ErrMalformed]). What [fencing.AllowUnfenced]
// allows is sent without one.
//
// A refusal is an error, also in what [http.Client] makes of it: 412 with a newer Fencing-High-Water a [*fencing.StaleError],
// 409 with another term's of the same epoch a [*fencing.ConflictError], and each is passed on to the term ([fencing.Report]). With
// a Fencing-High-Water that contradicts the status they are [fencing.ErrUnavailable], and without one the handler's own
// answers. Other statuses are refusals if they come with their Fencing-Refused: see the package comment.
//
// A token is never sent to another scheme, host or port than the request was made for. When a redirect leads there, GET,
// HEAD and OPTIONS follow it without the token, also back again; anything else fails with [ErrRedirected].
type Transport struct {
	base   http.RoundTripper
	server origin // zero: the one each request is made for
}

// NewTransport fails when cfg.Server is not a URL of a server.
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
	// The caller's request stays as it is: a Client copies its header to wherever it is redirected.
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

// tokenFor returns the token that r is to be sent under, the zero one if without.
func (t *Transport) tokenFor(r *http.Request) (fencing.Token, error) {
	if hasToken(r.Header) {
		return fencing.Token{}, fmt.Errorf("%w: the request has a %s already", fencing.ErrMalformed, HeaderToken)
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
		return fencing.Token{}, fmt.Errorf("%w: %s %s, was for %v", ErrRedirected, r.Method, originOf(r.URL), cmp.Or(t.server, first))
	}
	return fencing.Token{}, nil
}

// hasToken reports whether there is a token in h, however its name is written: one under another spelling would go
// wherever a redirect leads.
func hasToken(h http.Header) bool {
	for name, values := range h {
		if len(values) > 0 && strings.EqualFold(name, HeaderToken) {
			return true
		}
	}
	return false
}

// CloseIdleConnections closes those of Base, if it can.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// writes reports whether r may have an effect. A connection that changes its protocol may carry anything.
func writes(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions: // a client's "" is GET
		return r.Header.Get("Upgrade") != ""
	default:
		return true
	}
}

// discard lets the connection be used again if little is left on it.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	_ = body.Close()
}
