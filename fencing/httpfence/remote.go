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

// Remote is the guard of another process, reached through its [Server.Endpoint]. List it in
// singleton.Config.Guards. Make one with [NewRemote]. It is safe for concurrent use.
//
// Errors are
//   - those of the guard;
//   - [fencing.ErrWiring], if the answer is not from such an endpoint, or access is refused: 404
//     and similar statuses, a page, a redirect, 401 and 403, a certificate of another server;
//   - [fencing.ErrUnavailable], if there is no answer, and for every other answer that is not
//     certainly the endpoint's. The announcement may then have arrived, and can be repeated.
//
// To help find a wrong URL, the text names the URL, without user, password and query, and says what
// came. The only time limit is the context's.
type Remote struct {
	url  *url.URL
	base http.RoundTripper
}

var _ fencing.Checker = (*Remote)(nil)

// NewRemote returns a guard whose endpoint is at rawURL. base sends the requests, and must
// authenticate them if the endpoint demands that. Nil means [http.DefaultTransport]. NewRemote
// fails if rawURL is not an absolute http or https URL.
func NewRemote(rawURL string, base http.RoundTripper) (*Remote, error) {
	u, err := parseServer(rawURL)
	if err != nil {
		return nil, fmt.Errorf("httpfence: NewRemote: %w", err)
	}
	return &Remote{u, cmp.Or(base, http.DefaultTransport)}, nil
}

// Announce announces t to the other process's guard, and returns nil once that guard has admitted
// t. See [fencing.Guard].
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
	// It is not sent, but allows the transport to try again if an idle connection broke.
	request.Header["Idempotency-Key"] = nil
	mark, err := r.ask(request, t)
	if err == nil && mark != t {
		err = fmt.Errorf("%w: %s confirmed %v when %v was announced",
			fencing.ErrUnavailable, place(r.url), mark, t)
	}
	return fencing.Report(ctx, err)
}

// Check does what [Remote.Announce] does: it admits the current token, and raises the mark for a
// newer one. No later effect is bound to Check. Send the effect through [Transport] to
// [Server.Middleware].
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
		return fencing.Token{}, fmt.Errorf("%w: %s answered %v for the mark of %q",
			fencing.ErrUnavailable, place(r.url), mark, scope)
	}
	return mark, err
}

// ask sends one request, and returns the mark in a successful answer. It follows no redirect. It
// does not use an http.Client, whose errors quote an answer's Location if it cannot be parsed.
func (r *Remote) ask(request *http.Request, presented fencing.Token) (fencing.Token, error) {
	if user := request.URL.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	answer, err := r.base.RoundTrip(request) //nolint:bodyclose // discard closes it
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // the rest of the error has the whole URL
	}
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %s %s: %w",
			unreached(err), request.Method, place(request.URL), err)
	}
	defer discard(answer.Body)
	err = refusal(answer, presented)
	switch values := answer.Header.Values(HeaderMark); {
	case errors.Is(err, fencing.ErrWiring):
		return fencing.Token{}, fmt.Errorf("%w: %s %s: %s",
			fencing.ErrWiring, request.Method, place(request.URL), answer.Status)
	case err != nil:
		return fencing.Token{}, err
	case answer.StatusCode != http.StatusNoContent || len(values) == 0:
		return fencing.Token{}, elsewhere(request, answer)
	case len(values) == 1 && values[0] == none:
		return fencing.Token{}, nil
	}
	mark, err := single(answer.Header, HeaderMark)
	if err != nil {
		//nolint:errorlint // the mark is malformed, not the token
		return fencing.Token{}, fmt.Errorf("%w: %s %s answered with the %s %v",
			fencing.ErrUnavailable, request.Method, place(request.URL), HeaderMark, err)
	}
	return mark, nil
}

// unreached is what an error without an answer means. A server with another identity will not
// become the right one.
func unreached(err error) error {
	for _, is := range []any{
		new(x509.UnknownAuthorityError), new(x509.HostnameError), new(tls.RecordHeaderError),
	} {
		if errors.As(err, is) {
			return fencing.ErrWiring
		}
	}
	return fencing.ErrUnavailable
}

// elsewhere is the error for an answer that no endpoint gives. Its status and type help people see
// who gave it.
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
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly,
		code == http.StatusTooManyRequests,
		// The server, or something in front of it, has trouble.
		code >= http.StatusInternalServerError && code != http.StatusNotImplemented:
		why = fencing.ErrUnavailable
	}
	return fmt.Errorf("%w: %s %s answered %s, which is not a Server.Endpoint's answer",
		why, request.Method, place(request.URL), what)
}

// place is the URL without parts that may be secret.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
