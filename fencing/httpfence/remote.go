package httpfence

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hotseat-go/hotseat/fencing"
)

// Remote is the guard of another process, reached through its [Server.Endpoint]: list it in singleton.Config.Guards. Make
// one with [NewRemote]; it is safe for concurrent use.
//
// Errors are the guard's, [fencing.ErrWiring] for an answer of somebody who is no such endpoint, or does not let in: 404 and
// its like, a page, a redirect, 401 and 403, a certificate of another; and [fencing.ErrUnavailable] for every other answer that is
// not plainly the endpoint's, and for none: the announcement may then have arrived, and can be repeated. The text says who was asked
// and what came, to find a wrong URL by, without user, password and query. No time limit but the context's.
type Remote struct {
	url  *url.URL
	base http.RoundTripper
}

var _ fencing.Checker = (*Remote)(nil)

// NewRemote returns a guard whose endpoint is at rawURL. Base sends the requests, with what authenticates them; nil means
// [http.DefaultTransport]. It fails when rawURL is not an absolute http or https URL.
func NewRemote(rawURL string, base http.RoundTripper) (*Remote, error) {
	u, err := parseServer(rawURL)
	if err != nil {
		return nil, fmt.Errorf("httpfence: NewRemote: %w", err)
	}
	return &Remote{u, cmp.Or(base, http.DefaultTransport)}, nil
}

// Announce tells the far guard of t and returns nil once it has admitted it. See [fencing.Guard].
func (r *Remote) Announce(ctx context.Context, t fencing.Token) error {
	value, err := Format(t)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url.String(), http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set(HeaderToken, value)
	request.Header["Idempotency-Key"] = nil // not sent: lets the transport try again when an idle connection broke
	mark, err := r.ask(request, t)
	if err == nil && mark != t {
		err = fmt.Errorf("%w: %s confirmed %v when it was told of %v", fencing.ErrUnavailable, place(r.url), mark, t)
	}
	return fencing.Report(ctx, err)
}

// Check is [Remote.Announce]: both admit exactly the mark and what is newer. An effect that follows is not bound to it;
// send that through [Transport] to [Server.Middleware].
func (r *Remote) Check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	return r.Announce(ctx, t)
}

// Mark asks for the mark of a scope. See [fencing.Guard].
func (r *Remote) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.ValidateScope(scope); err != nil {
		return fencing.Token{}, err
	}
	u, query := *r.url, r.url.Query()
	query.Set("scope", scope)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return fencing.Token{}, err
	}
	mark, err := r.ask(request, fencing.Token{})
	if err == nil && !mark.IsZero() && mark.Scope != scope {
		return fencing.Token{}, fmt.Errorf("%w: %s has %v for the mark of %q", fencing.ErrUnavailable, place(r.url), mark, scope)
	}
	return mark, err
}

// ask sends one request and returns the mark that a success carries. It follows no redirect. Not by an http.Client: that one
// quotes what it cannot read of an answer's Location.
func (r *Remote) ask(request *http.Request, presented fencing.Token) (fencing.Token, error) {
	if user := request.URL.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	answer, err := r.base.RoundTrip(request) //nolint:bodyclose // discard closes it
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // the rest of it has the whole URL
	}
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %s %s: %w", unreached(err), request.Method, place(request.URL), err)
	}
	defer discard(answer.Body)
	err = refusal(answer, presented)
	switch values := answer.Header.Values(HeaderMark); {
	case errors.Is(err, fencing.ErrWiring):
		return fencing.Token{}, fmt.Errorf("%w: %s %s: %s", fencing.ErrWiring, request.Method, place(request.URL), answer.Status)
	case err != nil:
		return fencing.Token{}, err
	case answer.StatusCode != http.StatusNoContent || len(values) == 0:
		return fencing.Token{}, elsewhere(request, answer)
	case len(values) == 1 && values[0] == none:
		return fencing.Token{}, nil
	}
	mark, err := single(answer.Header, HeaderMark)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %s %s answered with the %s %v",
			fencing.ErrUnavailable, request.Method, place(request.URL), HeaderMark, err) //nolint:errorlint // the mark is malformed, not the token
	}
	return mark, nil
}

// unreached is what an error without an answer stands for: a server that is somebody else does not become the right one.
func unreached(err error) error {
	for _, is := range []any{new(x509.UnknownAuthorityError), new(x509.HostnameError), new(tls.RecordHeaderError)} {
		if errors.As(err, is) {
			return fencing.ErrWiring
		}
	}
	return fencing.ErrUnavailable
}

// elsewhere is the error of an answer that no endpoint gives: by its status and type people see who did.
func elsewhere(request *http.Request, answer *http.Response) error {
	what := answer.Status
	if kind := answer.Header.Get("Content-Type"); kind != "" {
		what += fmt.Sprintf(" (%.80q)", kind)
	}
	if to, err := answer.Location(); err == nil {
		what += ", to " + place(to)
	}
	why := fencing.ErrWiring
	switch code := answer.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests,
		code >= http.StatusInternalServerError && code != http.StatusNotImplemented: // a server, or what is before it, in trouble
		why = fencing.ErrUnavailable
	}
	return fmt.Errorf("%w: %s %s answered %s, which is not a Server.Endpoint's answer", why, request.Method, place(request.URL), what)
}

// place is a URL without what may be secret in it.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
