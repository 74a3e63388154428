package httpfence_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// blank is a ResponseWriter without a connection.
type blank struct{ header http.Header }

func (b blank) Header() http.Header         { return b.header }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

// BenchmarkMiddleware plays each request to the bare handler and to the fenced one in turns, so that noise hits both, and
// reports the nanoseconds of both and their ratio.
func BenchmarkMiddleware(b *testing.B) {
	handler := http.HandlerFunc(ok)
	fenced := newServer(b, httpfence.ServerConfig{Guard: newMemory(b, 0)}).Middleware(handler)

	b.Run("call", func(b *testing.B) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(httpfence.HeaderToken, wire("42"))
		call := func(h http.Handler) func() {
			w := blank{http.Header{}}
			return func() { h.ServeHTTP(w, r) }
		}
		inTurns(b, 100, call(handler), call(fenced))
	})
	b.Run("loopback", func(b *testing.B) {
		call := func(h http.Handler) func() {
			s := httptest.NewServer(h)
			b.Cleanup(s.Close)
			r := request(b.Context(), b, http.MethodPost, s.URL, "")
			r.Header.Set(httpfence.HeaderToken, wire("42"))
			return func() {
				answer, err := http.DefaultClient.Do(r)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatal(answer, err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}
		inTurns(b, 1, call(handler), call(fenced))
	})
}

func inTurns(b *testing.B, batch int, bare, fenced func()) {
	var spent [2]time.Duration
	for b.Loop() {
		for i, f := range []func(){bare, fenced} {
			since := time.Now()
			for range batch {
				f()
			}
			spent[i] += time.Since(since)
		}
	}
	n := float64(b.N * batch)
	b.ReportMetric(float64(spent[0])/n, "bare-ns")
	b.ReportMetric(float64(spent[1])/n, "fenced-ns")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "x")
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	text := wire("42")
	for b.Loop() {
		if _, err := httpfence.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransport(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(ok))
	b.Cleanup(s.Close)
	call := func(c *http.Client) func() {
		r := request(under(b, token(42)), b, http.MethodPost, s.URL, "")
		return func() {
			answer, err := c.Do(r)
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	}
	inTurns(b, 1, call(http.DefaultClient), call(client(b)))
}
