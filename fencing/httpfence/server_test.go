package httpfence_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

func newMemory(t testing.TB, drain time.Duration) *fencing.Memory {
	t.Helper()
	m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: drain})
	require.NoError(t, err)
	return m
}

func newServer(t testing.TB, cfg httpfence.ServerConfig) *httpfence.Server {
	t.Helper()
	if cfg.Scope == "" {
		cfg.Scope = scope
	}
	f, err := httpfence.NewServer(cfg)
	require.NoError(t, err)
	return f
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") }

func TestNewRefuses(t *testing.T) {
	m := newMemory(t, 0)
	for want, cfg := range map[string]httpfence.ServerConfig{
		"Config.Guard is nil (<nil>)": {Scope: scope},
		"nil (*fencing.Memory)":       {Scope: scope, Guard: (*fencing.Memory)(nil)},
		"Config.Scope":                {Guard: m},
		"two words":                   {Guard: m, Scope: "two words"},
	} {
		_, err := httpfence.NewServer(cfg)
		require.ErrorContains(t, err, want)
	}
}

// broken is a guard that cannot decide.
type broken struct{ *fencing.Memory }

var errSecret = errors.New("dial tcp 10.0.0.7:5432: password rejected")

func (broken) Announce(context.Context, fencing.Token) error { return errSecret }
func (broken) Enter(context.Context, fencing.Token) (context.Context, func(), error) {
	return nil, nil, errSecret
}

func (broken) Mark(context.Context, string) (fencing.Token, error) {
	return fencing.Token{}, errSecret
}

// What each request is answered with, and that a refused one neither reaches the handler nor moves the mark.
func TestMiddlewareAnswers(t *testing.T) {
	rival, elsewhere := `"42";scope="shop/invoicer";term="`+termB+`"`, `"99";scope="shop/other";term="`+termA+`"`
	for name, tt := range map[string]struct {
		method string
		tokens []string
		status int
		reason string
		mark   string
	}{
		"current":                 {"POST", []string{wire("42")}, 200, "", ""},
		"newer":                   {"POST", []string{wire("43")}, 200, "", ""},
		"stale":                   {"POST", []string{wire("41")}, 412, "stale", wire("42")},
		"conflict":                {"POST", []string{rival}, 409, "conflict", wire("42")},
		"missing":                 {"POST", nil, 428, "missing", ""},
		"missing, PUT":            {"PUT", nil, 428, "missing", ""},
		"missing, PATCH":          {"PATCH", nil, 428, "missing", ""},
		"missing, DELETE":         {"DELETE", nil, 428, "missing", ""},
		"missing, unknown method": {"PURGE", nil, 428, "missing", ""},
		"missing, get is no GET":  {"get", nil, 428, "missing", ""},
		"empty":                   {"POST", []string{""}, 400, "malformed", ""},
		"twice":                   {"POST", []string{wire("42"), wire("42")}, 400, "malformed", ""},
		"two in one":              {"POST", []string{wire("42") + ", " + wire("99")}, 400, "malformed", ""},
		"poisoned":                {"POST", []string{wire("9223372036854775808")}, 400, "malformed", ""},
		"negative":                {"POST", []string{wire("-1")}, 400, "malformed", ""},
		"leading zero":            {"POST", []string{wire("043")}, 400, "malformed", ""},
		"40 digits":               {"POST", []string{wire(strings.Repeat("9", 40))}, 400, "malformed", ""},
		"other scope":             {"POST", []string{elsewhere}, 403, "scope", ""},
		"read without":            {"GET", nil, 200, "", ""},
		"HEAD without":            {"HEAD", nil, 200, "", ""},
		"OPTIONS without":         {"OPTIONS", nil, 200, "", ""},
		"read, stale":             {"GET", []string{wire("41")}, 412, "stale", wire("42")},
		"read, malformed":         {"GET", []string{"x"}, 400, "malformed", ""},
		"read, other scope":       {"GET", []string{elsewhere}, 403, "scope", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t, 0)
			require.NoError(t, m.Announce(t.Context(), token(42)))
			reached := false
			s := httptest.NewServer(newServer(t, httpfence.ServerConfig{Guard: m}).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				reached = true
				got, has := fencing.FromContext(r.Context())
				assert.Equal(t, len(tt.tokens) > 0, has)
				if has {
					text, err := httpfence.Format(got)
					assert.NoError(t, err)
					assert.Equal(t, tt.tokens[0], text)
				}
			})))
			r := request(t.Context(), t, tt.method, s.URL, "")
			if tt.tokens != nil {
				r.Header[httpfence.HeaderToken] = tt.tokens
			}
			answer, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			s.Close() // the handler is over
			require.Equal(t, tt.status, answer.StatusCode)
			require.Equal(t, tt.status == 200, reached)
			require.Equal(t, tt.reason, answer.Header.Get(httpfence.HeaderRefused))
			require.Equal(t, tt.mark, answer.Header.Get(httpfence.HeaderMark))
			require.Empty(t, answer.Header.Get("Retry-After"))

			mark, err := m.Mark(t.Context(), scope)
			require.NoError(t, err)
			want := token(42)
			if name == "newer" {
				want = token(43)
			}
			require.Equal(t, want, mark)
			mark, err = m.Mark(t.Context(), "shop/other")
			require.NoError(t, err)
			require.Zero(t, mark)
		})
	}
}

func TestMiddlewareFailsClosed(t *testing.T) {
	f := newServer(t, httpfence.ServerConfig{Guard: broken{}})
	for name, h := range map[string]http.Handler{
		"middleware": f.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") })),
		"endpoint":   f.Endpoint(),
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(httpfence.HeaderToken, wire("42"))
		h.ServeHTTP(w, r)
		require.Equal(t, 503, w.Code, name)
		require.Equal(t, "1", w.Header().Get("Retry-After"), name)
		require.Equal(t, "unavailable", w.Header().Get(httpfence.HeaderRefused), name)
		require.NotContains(t, w.Body.String(), "password", name)
	}
}

func TestMiddlewareUnavailableWhileOlderWorkIsInFlight(t *testing.T) {
	m := newMemory(t, 10*time.Millisecond)
	_, leave, err := m.Enter(t.Context(), token(42))
	require.NoError(t, err)
	s := httptest.NewServer(newServer(t, httpfence.ServerConfig{Guard: m}).Middleware(http.HandlerFunc(ok)))
	t.Cleanup(s.Close)
	post := func() error {
		_, err := client(t).Do(request(under(t, token(43)), t, http.MethodPost, s.URL, ""))
		return err
	}
	require.ErrorIs(t, post(), fencing.ErrUnavailable)
	leave()
	require.NoError(t, post())
}

func TestFencedIsConfigurable(t *testing.T) {
	m := newMemory(t, 0)
	upgrade := httptest.NewRequest(http.MethodGet, "/", nil)
	upgrade.Header.Set("Upgrade", "websocket")
	code := func(f *httpfence.Server, r *http.Request) int {
		w := httptest.NewRecorder()
		f.Middleware(http.HandlerFunc(ok)).ServeHTTP(w, r)
		return w.Code
	}
	byDefault := newServer(t, httpfence.ServerConfig{Guard: m})
	require.Equal(t, 428, code(byDefault, upgrade), "another protocol may carry writes")

	onlyAdmin := newServer(t, httpfence.ServerConfig{Guard: m, Fenced: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/admin") }})
	require.Equal(t, 428, code(onlyAdmin, httptest.NewRequest(http.MethodGet, "/admin", nil)))
	require.Equal(t, 200, code(onlyAdmin, httptest.NewRequest(http.MethodPost, "/open", nil)))
}

// Whoever serves may let a request in without a token; a bad token stays refused.
func TestUnfencedRequests(t *testing.T) {
	m := newMemory(t, 0)
	require.NoError(t, m.Announce(t.Context(), token(42)))
	h := newServer(t, httpfence.ServerConfig{Guard: m}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, has := fencing.FromContext(r.Context())
		assert.False(t, has)
	}))
	for value, want := range map[string]int{"": 200, wire("41"): 412, "x": 400} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
		if value != "" {
			r.Header.Set(httpfence.HeaderToken, value)
		}
		h.ServeHTTP(w, r.WithContext(fencing.AllowUnfenced(r.Context(), "repair")))
		require.Equal(t, want, w.Code, value)
	}
}

func TestPanickingHandlerLeaves(t *testing.T) {
	m := newMemory(t, time.Minute)
	h := newServer(t, httpfence.ServerConfig{Guard: m}).Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	_, err := client(t).Do(request(under(t, token(42)), t, http.MethodPost, s.URL, ""))
	require.Error(t, err)
	require.NoError(t, m.Announce(t.Context(), token(43)), "nothing is in flight")
}

// The server removes an upload's files, as it does without us.
func TestMultipartFilesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*"))
		assert.NoError(t, err) // the handler calls this, too
		return found
	}
	m := newMemory(t, 0)
	s := httptest.NewServer(newServer(t, httpfence.ServerConfig{Guard: m}).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.ParseMultipartForm(1))
		assert.Len(t, files(), 1)
	})))
	text := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 1000) + "\r\n--b--\r\n"
	r := request(under(t, token(42)), t, http.MethodPost, s.URL, text)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	answer, err := client(t).Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	s.Close()
	require.Empty(t, files())
}

func TestRefuseForHandlersThatJudgeThemselves(t *testing.T) {
	w := httptest.NewRecorder()
	httpfence.Refuse(w, errors.Join(errors.New("in a transaction"), &fencing.StaleError{Presented: token(41), Mark: token(42)}))
	require.Equal(t, 412, w.Code)
	require.Equal(t, wire("42"), w.Header().Get(httpfence.HeaderMark))
}
