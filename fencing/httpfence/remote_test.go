package httpfence_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

func newRemote(t testing.TB, url string) *httpfence.Remote {
	t.Helper()
	r, err := httpfence.NewRemote(url, nil)
	require.NoError(t, err)
	return r
}

func TestRemoteAnnounces(t *testing.T) {
	m := newMemory(t, 0)
	s := httptest.NewServer(newServer(t, httpfence.ServerConfig{Guard: m}).Endpoint())
	t.Cleanup(s.Close)
	remote := newRemote(t, s.URL+"/?kept=1")
	mark, err := remote.Mark(t.Context(), scope)
	require.NoError(t, err)
	require.Zero(t, mark)

	require.NoError(t, remote.Announce(t.Context(), token(42)))
	mark, err = m.Mark(t.Context(), scope)
	require.NoError(t, err)
	require.Equal(t, token(42), mark)

	var told []error
	ctx := fencing.WithReporter(t.Context(), func(err error) { told = append(told, err) })
	want := &fencing.StaleError{Presented: token(41), Mark: token(42)}
	require.Equal(t, want, remote.Check(ctx, token(41)))
	require.Equal(t, []error{want}, told)

	require.ErrorIs(t, remote.Check(ctx, fencing.Token{}), fencing.ErrMissing)
	require.NoError(t, remote.Check(fencing.AllowUnfenced(ctx, "repair"), fencing.Token{}))
	require.ErrorIs(t, remote.Announce(fencing.AllowUnfenced(ctx, "repair"), fencing.Token{}), fencing.ErrMissing)
}

// Only the endpoint's own words count as an announcement, or as a mark.
func TestRemoteBelievesNobodyElse(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		marks  []string
		want   error
	}{
		"page of some proxy":     {200, nil, fencing.ErrWiring},
		"no content":             {204, nil, fencing.ErrWiring},
		"mark, other status":     {200, []string{wire("42")}, fencing.ErrWiring},
		"empty mark":             {204, []string{""}, fencing.ErrUnavailable},
		"malformed mark":         {204, []string{"42"}, fencing.ErrUnavailable},
		"two marks":              {204, []string{wire("42"), wire("42")}, fencing.ErrUnavailable},
		"redirect":               {307, []string{wire("42")}, fencing.ErrWiring},
		"login":                  {401, nil, fencing.ErrWiring},
		"somebody's own 403":     {403, nil, fencing.ErrWiring},
		"somebody's own 412":     {412, nil, fencing.ErrWiring},
		"not found":              {404, nil, fencing.ErrWiring},
		"failure":                {500, []string{wire("42")}, fencing.ErrUnavailable},
		"stale, by an older one": {412, []string{wire("41")}, fencing.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()[httpfence.HeaderMark] = tt.marks
				w.Header().Set("Location", "/")
				w.WriteHeader(tt.status)
			})
			remote := newRemote(t, s.URL)
			require.ErrorIs(t, remote.Announce(t.Context(), token(42)), tt.want)
			_, err := remote.Mark(t.Context(), scope)
			require.ErrorIs(t, err, tt.want)
			for _, wrong := range []error{fencing.ErrMalformed, fencing.ErrMissing, fencing.ErrWiring, fencing.ErrStale, fencing.ErrUnavailable} {
				require.Equal(t, wrong == tt.want, errors.Is(err, wrong), "%v: %v", wrong, err) //nolint:errorlint // the table's own value
			}
		})
	}
	for name, mark := range map[string]string{
		"another token": wire("43"), "none": "none", "another scope": `"42";scope="shop/other";term="` + termA + `"`,
	} {
		t.Run("confirms "+name, func(t *testing.T) {
			s := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(httpfence.HeaderMark, mark)
				w.WriteHeader(http.StatusNoContent)
			})
			remote := newRemote(t, s.URL)
			require.ErrorIs(t, remote.Announce(t.Context(), token(42)), fencing.ErrUnavailable)
			_, err := remote.Mark(t.Context(), "shop/third")
			if name != "none" {
				require.ErrorIs(t, err, fencing.ErrUnavailable)
			}
		})
	}
}

func TestRemoteUnreachable(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	remote := newRemote(t, strings.Replace(s.URL, "://", "://secret:secret@", 1)+"/guard?key=secret")
	err := remote.Announce(t.Context(), token(42))
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, "POST "+s.URL+"/guard: ")
	require.NotContains(t, err.Error(), "secret")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = remote.Announce(ctx, token(42))
	require.ErrorIs(t, err, fencing.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

func TestEndpointAnswers(t *testing.T) {
	m := newMemory(t, 0)
	require.NoError(t, m.Announce(t.Context(), token(42)))
	h := newServer(t, httpfence.ServerConfig{Guard: m}).Endpoint()
	for name, tt := range map[string]struct {
		method, target, token string
		status                int
		mark                  string
	}{
		"announce":        {"POST", "/", wire("42"), 204, wire("42")},
		"stale":           {"POST", "/", wire("41"), 412, wire("42")},
		"no token":        {"POST", "/", "", 428, ""},
		"malformed":       {"POST", "/", "x", 400, ""},
		"other scope":     {"POST", "/", `"99";scope="shop/other";term="` + termA + `"`, 403, ""},
		"mark":            {"GET", "/?scope=shop/invoicer", "", 204, wire("42")},
		"no scope":        {"GET", "/", "", 400, ""},
		"empty scope":     {"GET", "/?scope=", "", 400, ""},
		"bad scope":       {"GET", "/?scope=a%20b", "", 400, ""},
		"two scopes":      {"GET", "/?scope=shop/invoicer&scope=shop/other", "", 400, ""},
		"bad query":       {"GET", "/?scope=%zz", "", 400, ""},
		"somebody else's": {"GET", "/?scope=shop/other", "", 403, ""},
		"PUT":             {"PUT", "/", wire("43"), 405, ""},
		"DELETE":          {"DELETE", "/", wire("43"), 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.target, nil)
			if tt.token != "" {
				r.Header.Set(httpfence.HeaderToken, tt.token)
			}
			h.ServeHTTP(w, r.WithContext(fencing.AllowUnfenced(r.Context(), "not for announcements")))
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.mark, w.Header().Get(httpfence.HeaderMark))
			mark, err := m.Mark(t.Context(), scope)
			require.NoError(t, err)
			require.Equal(t, token(42), mark)
		})
	}
}

func TestNewRemoteRefuses(t *testing.T) {
	for _, bad := range []string{"", "ledger:8080/guard", "/guard", "ftp://ledger/guard", "http://[/"} {
		_, err := httpfence.NewRemote(bad, nil)
		require.ErrorContains(t, err, "NewRemote", bad)
	}
}
