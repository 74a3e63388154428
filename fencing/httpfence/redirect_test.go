package httpfence_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// web is a few names, all served by one real server, which redirects as told: the path of a request is the chain of
// redirects still to come, /STATUS/HOST/STATUS/HOST...
type web struct {
	addr   string
	client *http.Client

	mu  sync.Mutex
	log []string // "METHOD host token" of each request that arrived, where token is "-" without one
}

func newWeb(t *testing.T, cfg httpfence.TransportConfig) *web {
	w := &web{}
	plain := httptest.NewServer(w)
	t.Cleanup(plain.Close)
	w.addr = plain.Listener.Addr().String()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, w.addr)
	}
	base := &http.Transport{DialContext: dial}
	t.Cleanup(base.CloseIdleConnections)
	cfg.Base = base
	w.client = &http.Client{Transport: newTransport(t, cfg)}
	return w
}

func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	epoch := "-"
	if tok, err := httpfence.FromHeader(r.Header); err == nil {
		epoch = fmt.Sprint(tok.Epoch)
	}
	w.mu.Lock()
	w.log = append(w.log, strings.Join([]string{r.Method, r.Host, epoch}, " "))
	w.mu.Unlock()
	hop := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(hop) < 2 {
		return
	}
	var status int
	_, _ = fmt.Sscan(hop[0], &status)
	rest := ""
	if len(hop) == 3 {
		rest = "/" + hop[2]
	}
	target := "http://" + hop[1] + rest
	if hop[1] == "-" { // relative
		target = "/" + strings.TrimPrefix(rest, "/")
	}
	out.Header().Set("Location", target)
	out.WriteHeader(status)
}

// "Never to another host", with the redirects of a real Client: all of them begin under token 42 at a.test.
func TestRedirects(t *testing.T) {
	for name, tt := range map[string]struct {
		server, method, path string
		want                 []string
		refused              bool
	}{
		"within the host, method kept": {"", "POST", "/307/a.test", []string{"POST a.test 42", "POST a.test 42"}, false},
		"permanent":                    {"", "PUT", "/308/a.test/308/a.test", []string{"PUT a.test 42", "PUT a.test 42", "PUT a.test 42"}, false},
		"relative":                     {"", "DELETE", "/307/-", []string{"DELETE a.test 42", "DELETE a.test 42"}, false},
		"case and default port":        {"", "POST", "/307/A.TEST:80", []string{"POST a.test 42", "POST A.TEST:80 42"}, false},
		"see other, within the host":   {"", "POST", "/303/a.test", []string{"POST a.test 42", "GET a.test 42"}, false},

		"write to another host":     {"", "POST", "/307/b.test", []string{"POST a.test 42"}, true},
		"permanent, another host":   {"", "PUT", "/308/b.test", []string{"PUT a.test 42"}, true},
		"later, another host":       {"", "POST", "/307/a.test/307/b.test", []string{"POST a.test 42", "POST a.test 42"}, true},
		"there and back":            {"", "POST", "/307/b.test/307/a.test", []string{"POST a.test 42"}, true},
		"subdomain":                 {"", "POST", "/307/sub.a.test", []string{"POST a.test 42"}, true},
		"parent domain":             {"", "POST", "/307/test", []string{"POST a.test 42"}, true},
		"final dot":                 {"", "POST", "/307/a.test.", []string{"POST a.test 42"}, true},
		"another port":              {"", "POST", "/307/a.test:81", []string{"POST a.test 42"}, true},
		"name in the user part":     {"", "POST", "/307/a.test@b.test", []string{"POST a.test 42"}, true},
		"method of somebody's own":  {"", "PURGE", "/307/b.test", []string{"PURGE a.test 42"}, true},
		"read follows, bare":        {"", "GET", "/302/b.test", []string{"GET a.test 42", "GET b.test -"}, false},
		"HEAD follows, bare":        {"", "HEAD", "/307/b.test", []string{"HEAD a.test 42", "HEAD b.test -"}, false},
		"after the write":           {"", "POST", "/303/b.test", []string{"POST a.test 42", "GET b.test -"}, false},
		"read there and back":       {"", "GET", "/307/b.test/307/a.test", []string{"GET a.test 42", "GET b.test -", "GET a.test -"}, false},
		"back and on within":        {"", "GET", "/307/b.test/307/a.test/307/a.test", []string{"GET a.test 42", "GET b.test -", "GET a.test -", "GET a.test -"}, false},
		"read, subdomain":           {"", "GET", "/302/sub.a.test", []string{"GET a.test 42", "GET sub.a.test -"}, false},
		"three hosts":               {"", "GET", "/302/b.test/302/c.test", []string{"GET a.test 42", "GET b.test -", "GET c.test -"}, false},
		"named server":              {"http://A.test:80/any", "POST", "/307/a.test", []string{"POST a.test 42", "POST a.test 42"}, false},
		"named server is elsewhere": {"http://b.test", "POST", "/", nil, true},
		"not even by redirect":      {"http://b.test", "GET", "/307/b.test", []string{"GET a.test -", "GET b.test -"}, false},
		"same name over TLS":        {"https://a.test", "POST", "/", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(t, httpfence.TransportConfig{Server: tt.server})
			_, err := w.client.Do(request(under(t, token(42)), t, tt.method, "http://a.test"+tt.path, "body"))
			if tt.refused {
				require.ErrorIs(t, err, httpfence.ErrRedirected)
				if tt.server == "" {
					require.ErrorContains(t, err, "was for http://a.test:80")
				}
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tt.want, w.log)
		})
	}
}

// http to https of one name is another server, and so is the way back.
func TestRedirectToAnotherScheme(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent over the other scheme") }))
	t.Cleanup(secure.Close)
	plain := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secure.URL, http.StatusTemporaryRedirect)
	})
	c := http.Client{Transport: newTransport(t, httpfence.TransportConfig{Base: secure.Client().Transport})}
	_, err := c.Do(request(under(t, token(42)), t, http.MethodPost, plain.URL, ""))
	require.ErrorIs(t, err, httpfence.ErrRedirected)
}

// rebuilt is a RoundTripper around ours that makes its own requests and so loses what it was redirected by.
type rebuilt struct{ http.RoundTripper }

func (b rebuilt) RoundTrip(r *http.Request) (*http.Response, error) {
	fresh, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	if err != nil {
		return nil, err
	}
	return b.RoundTripper.RoundTrip(fresh)
}

func TestNamedServerNeedsNoTrace(t *testing.T) {
	w := newWeb(t, httpfence.TransportConfig{Server: "http://a.test"})
	w.client.Transport = rebuilt{w.client.Transport}
	_, err := w.client.Do(request(under(t, token(42)), t, http.MethodPost, "http://a.test/307/b.test", ""))
	require.ErrorIs(t, err, httpfence.ErrRedirected)
	require.Equal(t, []string{"POST a.test 42"}, w.log)
}

// A redirect whose beginning is not known leads nowhere.
func TestRedirectWithoutItsRequest(t *testing.T) {
	transport := newTransport(t, httpfence.TransportConfig{Base: &failing{}})
	r := request(under(t, token(42)), t, http.MethodPost, "http://a.test", "")
	r.Response = &http.Response{}
	_, err := transport.RoundTrip(r)
	require.ErrorIs(t, err, httpfence.ErrRedirected)
}
