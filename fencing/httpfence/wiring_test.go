package httpfence_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// Who is wired to another Lease's fence learns both scopes.
func TestWrongScopeNamesBoth(t *testing.T) {
	fence := newFence(t, httpfence.Config{Guard: newMemory(t, 0)})
	endpoint := serverOf(t, fence.Endpoint().ServeHTTP)
	store := serverOf(t, fence.Middleware(http.NotFoundHandler()).ServeHTTP)
	elsewhere := token(42)
	elsewhere.Scope = "shop/" + strings.Repeat("o", 250)

	remote := newRemote(t, endpoint.URL)
	const of = `fencing: wrong scope: 403 Forbidden: the token is of "`
	says := of + elsewhere.Scope + `", the fence is for "shop/invoicer"`
	err := remote.Advance(t.Context(), elsewhere)
	require.ErrorIs(t, err, fencing.ErrScope)
	require.EqualError(t, err, says)
	_, err = remote.HighWater(t.Context(), "shop/other")
	require.ErrorIs(t, err, fencing.ErrScope)
	require.ErrorContains(t, err, `asked for the mark of "shop/other", the fence is for "shop/invoicer"`)
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
	}{
		"not found":   {404, nil, "404 page not found", `404 Not Found ("text/plain; charset=utf-8")`},
		"a page":      {200, nil, "<html><title>Welcome</title>", `200 OK ("text/html; charset=utf-8")`},
		"no content":  {204, nil, "", "204 No Content"},
		"its method":  {405, http.Header{"Content-Type": nil}, "", "405 Method Not Allowed"},
		"a login":     {302, http.Header{"Location": {"https://login.example/in?state=secret"}}, "", `302 Found, to https://login.example/in`},
		"a dead path": {502, http.Header{"Content-Type": {"\"" + strings.Repeat("x", 200)}}, "", `502 Bad Gateway ("\"` + strings.Repeat("x", 79) + `")`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			remote := newRemote(t, strings.Replace(s.URL, "://", "://me:secret@", 1)+"/wrong?key=secret")
			err := remote.Advance(t.Context(), token(42))
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.ErrorContains(t, err, "fencing: guard unavailable: POST "+s.URL+"/wrong answered "+tt.says+", which is not a Fence.Endpoint's answer")
			require.NotContains(t, err.Error(), "secret")
			_, err = remote.HighWater(t.Context(), scope)
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			require.ErrorContains(t, err, "GET "+s.URL+"/wrong answered "+tt.says)
		})
	}
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
			err := newRemote(t, s.URL).Advance(t.Context(), token(42))
			require.ErrorIs(t, err, fencing.ErrScope)
			require.EqualError(t, err, "fencing: wrong scope: 403 Forbidden")
		})
	}
}
