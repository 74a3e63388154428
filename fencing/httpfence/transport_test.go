package httpfence_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

func newTransport(t testing.TB, cfg httpfence.TransportConfig) *httpfence.Transport {
	t.Helper()
	transport, err := httpfence.NewTransport(cfg)
	require.NoError(t, err)
	return transport
}

// client sends under the tokens of its requests' contexts.
func client(t testing.TB) *http.Client {
	return &http.Client{Transport: newTransport(t, httpfence.TransportConfig{})}
}

func serverOf(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func request(ctx context.Context, t testing.TB, method, url, text string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	require.NoError(t, err)
	return r
}

func under(t testing.TB, tok fencing.Token) context.Context {
	return fencing.NewContext(t.Context(), tok)
}

func TestTransportStamps(t *testing.T) {
	seen := make(chan http.Header, 1)
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header })
	r := request(under(t, token(42)), t, http.MethodPost, s.URL, "x")
	r.Header.Set("X-Mine", "1")
	answer, err := client(t).Do(r)
	require.NoError(t, err)
	require.Equal(t, []string{wire("42")}, (<-seen)[httpfence.HeaderToken])
	require.Equal(t, http.Header{"X-Mine": {"1"}}, r.Header, "a RoundTripper leaves the request as it is")
	require.Same(t, r, answer.Request)
}

type raised struct{ atomic.Int64 }

func (r *raised) Token() fencing.Token { return token(r.Load()) }

func TestTransportSendsTheRaisedEpoch(t *testing.T) {
	seen := make(chan string, 1)
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header.Get(httpfence.HeaderToken) })
	var term raised
	ctx, c := fencing.NewSourceContext(t.Context(), &term), client(t)
	for _, epoch := range []int64{3, 1000} {
		term.Store(epoch)
		_, err := c.Do(request(ctx, t, http.MethodPost, s.URL, ""))
		require.NoError(t, err)
		got, err := httpfence.Parse(<-seen)
		require.NoError(t, err)
		require.Equal(t, token(epoch), got)
	}
}

// closeSpy tells that a body was closed.
type closeSpy struct {
	io.Reader
	closed bool
}

func (c *closeSpy) Close() error { c.closed = true; return nil }

func TestTransportSendsNothingWithoutAToken(t *testing.T) {
	s := serverOf(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	stamped := http.Header{httpfence.HeaderToken: {wire("42")}}
	for name, tt := range map[string]struct {
		ctx    context.Context
		header http.Header
		want   error
	}{
		"no token":        {t.Context(), http.Header{}, fencing.ErrMissing},
		"hidden token":    {under(t, fencing.Token{}), http.Header{}, fencing.ErrMissing},
		"malformed token": {under(t, fencing.Token{Scope: scope, Epoch: -1, Term: termA}), http.Header{}, fencing.ErrMalformed},
		"stamped twice":   {under(t, token(42)), stamped, fencing.ErrMalformed},
		"stamped by hand": {t.Context(), stamped, fencing.ErrMalformed},
		"spelt otherwise": {fencing.AllowUnfenced(t.Context(), "test"), http.Header{"fencing-token": {wire("42")}}, fencing.ErrMalformed},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			spy := &closeSpy{Reader: strings.NewReader("x")}
			r := request(tt.ctx, t, method, s.URL, "")
			r.Body, r.Header = spy, tt.header
			_, err := client(t).Do(r)
			require.ErrorIs(t, err, tt.want, name)
			require.True(t, spy.closed, name)
		}
	}
}

func TestTransportReadsRefusals(t *testing.T) {
	rival := token(42)
	rival.Term = termB
	elsewhere := token(43)
	elsewhere.Scope = "shop/other"
	format := func(tok fencing.Token) string {
		text, err := httpfence.Format(tok)
		require.NoError(t, err)
		return text
	}
	for name, tt := range map[string]struct {
		status int
		mark   []string
		want   error // compared in full; nil: the response comes through
		is     error
	}{
		"stale":                  {412, []string{wire("43")}, &fencing.StaleError{Presented: token(42), Mark: token(43)}, fencing.ErrStale},
		"conflict":               {409, []string{format(rival)}, &fencing.ConflictError{Presented: token(42), Mark: rival}, fencing.ErrConflict},
		"somebody's own 412":     {412, nil, nil, nil},
		"somebody's own 409":     {409, nil, nil, nil},
		"mark on another status": {200, []string{wire("43")}, nil, nil},
		"somebody's own 503":     {503, nil, nil, nil},
		"stale, lower mark":      {412, []string{wire("41")}, nil, fencing.ErrUnavailable},
		"stale, our mark":        {412, []string{wire("42")}, nil, fencing.ErrUnavailable},
		"stale, other term":      {412, []string{format(rival)}, nil, fencing.ErrUnavailable},
		"conflict, newer":        {409, []string{wire("43")}, nil, fencing.ErrUnavailable},
		"conflict, ours":         {409, []string{wire("42")}, nil, fencing.ErrUnavailable},
		"stale, other scope":     {412, []string{format(elsewhere)}, nil, fencing.ErrUnavailable},
		"stale, two marks":       {412, []string{wire("43"), wire("44")}, nil, fencing.ErrUnavailable},
		"stale, bad mark":        {412, []string{"43"}, nil, fencing.ErrUnavailable},
		"conflict, empty mark":   {409, []string{""}, nil, fencing.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()[httpfence.HeaderMark] = tt.mark
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, "why")
			})
			answer, err := client(t).Do(request(under(t, token(42)), t, http.MethodPost, s.URL, ""))
			if tt.is == nil {
				require.NoError(t, err)
				require.Equal(t, tt.status, answer.StatusCode)
				text, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.Equal(t, "why", string(text))
				return
			}
			require.ErrorIs(t, err, tt.is)
			for _, other := range []error{fencing.ErrStale, fencing.ErrConflict, fencing.ErrMalformed, fencing.ErrMissing, fencing.ErrScope, fencing.ErrUnavailable} {
				require.Equal(t, errors.Is(tt.is, other), errors.Is(err, other), "%v as %v", err, other)
			}
			if tt.want != nil {
				require.Equal(t, tt.want, errors.Unwrap(err), "http.Client wraps once")
			}
		})
	}
}

// The other refusals are errors only with the server's own word for them.
func TestTransportReadsOtherRefusals(t *testing.T) {
	for reason, tt := range map[string]struct {
		status int
		want   error
	}{
		"missing": {428, fencing.ErrMissing}, "malformed": {400, fencing.ErrMalformed},
		"scope": {403, fencing.ErrScope}, "unavailable": {503, fencing.ErrUnavailable},
	} {
		for _, said := range []string{reason, "", "other"} {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(httpfence.HeaderRefused, said)
				w.WriteHeader(tt.status)
			})
			answer, err := client(t).Do(request(under(t, token(42)), t, http.MethodPost, s.URL, ""))
			if said == reason {
				require.ErrorIs(t, err, tt.want)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, tt.status, answer.StatusCode)
		}
	}
}

func TestTransportReportsRefusals(t *testing.T) {
	status := http.StatusPreconditionFailed
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(httpfence.HeaderMark, wire("43"))
		w.WriteHeader(status)
	})
	var told []error
	ctx := fencing.WithReporter(under(t, token(42)), func(err error) { told = append(told, err) })
	_, err := client(t).Do(request(ctx, t, http.MethodPost, s.URL, ""))
	require.ErrorIs(t, err, fencing.ErrStale)
	require.Equal(t, []error{&fencing.StaleError{Presented: token(42), Mark: token(43)}}, told)
	status = http.StatusOK
	_, err = client(t).Do(request(ctx, t, http.MethodPost, s.URL, ""))
	require.NoError(t, err)
	require.Len(t, told, 1)
}

func TestUnfencedIsSentAsItIs(t *testing.T) {
	seen := make(chan http.Header, 1)
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header })
	for name, tt := range map[string]struct {
		ctx  context.Context
		want []string
	}{
		"without a token": {fencing.AllowUnfenced(t.Context(), "repair"), nil},
		"with a token":    {fencing.AllowUnfenced(under(t, token(42)), "repair"), []string{wire("42")}},
	} {
		_, err := client(t).Do(request(tt.ctx, t, http.MethodPost, s.URL, ""))
		require.NoError(t, err, name)
		require.Equal(t, tt.want, (<-seen)[httpfence.HeaderToken], name)
	}
}

// failing is a base that sends nothing.
type failing struct{ idle int }

func (f *failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
func (f *failing) CloseIdleConnections()                           { f.idle++ }

func TestTransportPassesOn(t *testing.T) {
	base := &failing{}
	c := http.Client{Transport: newTransport(t, httpfence.TransportConfig{Base: base})}
	_, err := c.Do(request(under(t, token(42)), t, http.MethodPost, "http://localhost", ""))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	c.CloseIdleConnections()
	require.Equal(t, 1, base.idle)
}

func TestNewTransportRefuses(t *testing.T) {
	for _, bad := range []string{"ledger", "ledger:8080", "ftp://ledger", "/path", "http://", "http://:80", "http://[", "https:ledger"} {
		_, err := httpfence.NewTransport(httpfence.TransportConfig{Server: bad})
		require.ErrorContains(t, err, "TransportConfig.Server", bad)
	}
}
