package httpfence_test

import (
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
