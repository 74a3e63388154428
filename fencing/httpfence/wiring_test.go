package httpfence_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// Who is wired to another Lease's server learns both scopes.
func TestWrongScopeNamesBoth(t *testing.T) {
	guarded := newServer(t, httpfence.ServerConfig{Guard: newMemory(t, 0)})
	endpoint := serverOf(t, guarded.Endpoint().ServeHTTP)
	store := serverOf(t, guarded.Middleware(http.NotFoundHandler()).ServeHTTP)
	elsewhere := token(42)
	elsewhere.Scope = "shop/" + strings.Repeat("o", 250)

	remote := newRemote(t, endpoint.URL)
	const of = `fencing: wrong scope: 403 Forbidden: the token's scope is "`
	says := of + elsewhere.Scope + `", the guard's is "shop/invoicer"`
	err := remote.Announce(t.Context(), elsewhere)
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
	_, err = remote.Mark(t.Context(), "shop/other")
	require.ErrorIs(t, err, fencing.ErrScope)
	require.ErrorContains(t, err, `asked for the mark of "shop/other", the guard's scope is "shop/invoicer"`)
	_, err = client(t).Do(request(under(t, elsewhere), t, http.MethodPost, store.URL, ""))
	require.ErrorIs(t, err, fencing.ErrScope)
	require.ErrorContains(t, err, says)
}

// Who announces to somebody else learns to whom, and what that one said.
func TestWrongEndpointIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		header http.Header
		body   string
		says   string
		wiring bool
	}{
		"not found":   {404, nil, "404 page not found", `404 Not Found ("text/plain; charset=utf-8")`, true},
		"a page":      {200, nil, "<html><title>Welcome</title>", `200 OK ("text/html; charset=utf-8")`, true},
		"no content":  {204, nil, "", "204 No Content", true},
		"its method":  {405, http.Header{"Content-Type": nil}, "", "405 Method Not Allowed", true},
		"gone":        {410, http.Header{"Content-Type": nil}, "", "410 Gone", true},
		"no such":     {501, http.Header{"Content-Type": nil}, "", "501 Not Implemented", true},
		"a login":     {302, http.Header{"Location": {"https://me:secret@login.example/in?state=secret"}}, "", `302 Found, to https://login.example/in`, true},
		"nowhere":     {302, http.Header{"Location": {"https://me:secret@no where/"}}, "", `302 Found`, true},
		"no password": {401, http.Header{"Content-Type": nil}, "", "401 Unauthorized", true},
		"forbidden":   {403, http.Header{"Content-Type": nil}, "", "403 Forbidden", true},
		"a dead path": {502, http.Header{"Content-Type": {"\"" + strings.Repeat("x", 200)}}, "", `502 Bad Gateway ("\"` + strings.Repeat("x", 79) + `")`, false},
		"overload":    {429, http.Header{"Content-Type": nil}, "", "429 Too Many Requests", false},
		"slow":        {408, http.Header{"Content-Type": nil}, "", "408 Request Timeout", false},
		"restarting":  {503, http.Header{"Content-Type": nil}, "", "503 Service Unavailable", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			remote := newRemote(t, strings.Replace(s.URL, "://", "://me:secret@", 1)+"/wrong?key=secret")
			want, not := fencing.ErrUnavailable, fencing.ErrWiring
			if tt.wiring {
				want, not = fencing.ErrWiring, fencing.ErrUnavailable
			}
			err := remote.Announce(t.Context(), token(42))
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, not)
			require.ErrorContains(t, err, want.Error()+": POST "+s.URL+"/wrong answered "+tt.says+", which is not a Server.Endpoint's answer")
			require.NotContains(t, err.Error(), "secret")
			_, err = remote.Mark(t.Context(), scope)
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, not)
			require.ErrorContains(t, err, "GET "+s.URL+"/wrong answered "+tt.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// So do servers that are no such server: a certificate of another, plain HTTP where TLS is asked for.
func TestWrongServerIsWiring(t *testing.T) {
	plain := serverOf(t, http.NotFound)
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(encrypted.Close)
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	for name, url := range map[string]string{
		"a certificate of nobody we know": encrypted.URL,
		"no TLS there":                    strings.Replace(plain.URL, "http://", "https://", 1),
	} {
		err := newRemote(t, url).Announce(t.Context(), token(42))
		require.ErrorIs(t, err, fencing.ErrWiring, name)
		require.NotErrorIs(t, err, fencing.ErrUnavailable, name)
		require.ErrorContains(t, err, "POST "+url, name)
	}
}

// A server whose guard is miswired says so, and keeps the details for itself.
func TestWiringBehindAFence(t *testing.T) {
	store := fmt.Errorf("%w: relation \"secret\" does not exist", fencing.ErrWiring)
	guarded := newServer(t, httpfence.ServerConfig{Guard: miswired{err: store}})
	endpoint, served := serverOf(t, guarded.Endpoint().ServeHTTP), serverOf(t, guarded.Middleware(http.NotFoundHandler()).ServeHTTP)
	err := newRemote(t, endpoint.URL).Announce(t.Context(), token(42))
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.EqualError(t, err, "fencing: guard miswired: POST "+endpoint.URL+": 500 Internal Server Error")
	_, err = client(t).Do(request(under(t, token(42)), t, http.MethodPost, served.URL, ""))
	require.ErrorIs(t, err, fencing.ErrWiring)
	require.NotContains(t, err.Error(), "secret")
}

type miswired struct {
	*fencing.Memory
	err error
}

func (m miswired) Announce(context.Context, fencing.Token) error { return m.err }
func (m miswired) Enter(context.Context, fencing.Token) (context.Context, func(), error) {
	return nil, nil, m.err
}

// What a URL authenticates with is in no error, also where the URL is none.
func TestPasswordsAreNotShown(t *testing.T) {
	for _, raw := range []string{
		"http://user:s3cret@host:bad", "http://user:s3cret@ho st/", "ftp://user:s3cret@host/", "http://user:s3cret@host/%zz", "//user:s3cret@host",
		"http://host/?token=s3cret\x7f", "http://user:s3cret/x@host", "http://user:%s3cret@host", "user:s3cret@host", "us_er:s3cret@host/", "s3cret@host/path",
		"http:user:s3cret@host", "http://[s3cret", "s3cret", "http://user:s3cret@/", "http:///s3cret", "https://user:s3cret@:443/",
	} {
		_, err := httpfence.NewRemote(raw, nil)
		require.ErrorContains(t, err, "NewRemote", raw)
		require.NotContains(t, err.Error(), "s3c", raw)
		_, err = httpfence.NewTransport(httpfence.TransportConfig{Server: raw})
		require.ErrorContains(t, err, "TransportConfig.Server", raw)
		require.NotContains(t, err.Error(), "s3c", raw)
	}
	_, err := httpfence.NewRemote("ftp://user:s3cret@ledger:21/guard?key=s3cret", nil)
	require.EqualError(t, err, "httpfence: NewRemote: ftp://ledger:21/... must be an absolute http or https URL")
}

// The user and password of the URL are sent, as any client of net/http does.
func TestRemoteAuthenticates(t *testing.T) {
	guarded := newServer(t, httpfence.ServerConfig{Guard: newMemory(t, 0)})
	s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		assert.True(t, ok && user == "me" && password == "s3cret")
		guarded.Endpoint().ServeHTTP(w, r)
	})
	require.NoError(t, newRemote(t, strings.Replace(s.URL, "://", "://me:s3cret@", 1)).Announce(t.Context(), token(42)))
}

// Only what Refuse writes is shown of a refusal's body.
func TestRefusalShowsNoPage(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "a page": "<html>\nfencing: wrong scope: x", "no more": "fencing: wrong scope",
		"control characters": "fencing: wrong scope: \x1b[2J", "endless": strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(httpfence.HeaderRefused, "scope")
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(body))
			})
			err := newRemote(t, s.URL).Announce(t.Context(), token(42))
			require.ErrorIs(t, err, fencing.ErrScope)
			require.EqualError(t, err, "fencing: wrong scope: 403 Forbidden")
		})
	}
}
