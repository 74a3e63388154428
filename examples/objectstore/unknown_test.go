package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/examples/objectstore"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

var errLost = errors.New("connection lost")

// wire is a client's way to the server, on which a test decides what becomes of each put of the manifest. send passes
// the request on and may be called later.
type wire struct {
	onPut    func(n int, send func() (*http.Response, error)) (*http.Response, error) // n counts from 1
	requests []string
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, r.Method)
	if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, manifestKey) || w.onPut == nil {
		return http.DefaultClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n := strings.Count(strings.Join(w.requests, " "), http.MethodPut)
	return w.onPut(n, func() (*http.Response, error) {
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultClient.Do(late)
	})
}

// delivered sends and forgets the answer.
func delivered(t *testing.T, send func() (*http.Response, error), want int) {
	t.Helper()
	answer, err := send()
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, want, answer.StatusCode)
}

func answer(status int, code string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(strings.NewReader("<Error><Code>" + code + "</Code></Error>")),
	}
}

func overWire(t *testing.T, url string, w *wire) *objectstore.Store {
	t.Helper()
	client := newClient(t, url, func(o *s3.Options) { o.HTTPClient = w })
	store, err := objectstore.New(client, bucket, "invoicer/", guardtest.Scope)
	require.NoError(t, err)
	return store
}

// set names a key without uploading it, and counts how often it is asked.
func set(name, key string, asked *int) func(map[string]string) error {
	return func(objects map[string]string) error {
		*asked++
		objects[name] = key
		return nil
	}
}

func named(t *testing.T, s *objectstore.Store, tok fencing.Token, name string) (key string) {
	t.Helper()
	require.ErrorIs(t, s.Update(t.Context(), tok, func(objects map[string]string) error {
		key = objects[name]
		return errOnlyLooking
	}), errOnlyLooking)
	return key
}

var errOnlyLooking = errors.New("only looking")

func TestUnknownIsSettledByReading(t *testing.T) {
	for name, tt := range map[string]struct {
		onPut func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error)
		asked int // how often the change was made
	}{
		"the answer is lost": {func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error) {
			return func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
				delivered(t, send, http.StatusOK)
				return nil, errLost
			}
		}, 1},
		"the request is lost": {func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error) {
			return func(n int, send func() (*http.Response, error)) (*http.Response, error) {
				if n == 1 {
					return nil, errLost
				}
				return send()
			}
		}, 2},
		"the request comes during the next": {func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error) {
			var first func() (*http.Response, error)
			return func(n int, send func() (*http.Response, error)) (*http.Response, error) {
				if n == 1 {
					first = send
					return nil, errLost
				}
				delivered(t, first, http.StatusOK)
				return send() // 412, by our own write
			}
		}, 2},
		"500 although it was written": {func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error) {
			return func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
				delivered(t, send, http.StatusOK)
				return answer(http.StatusInternalServerError, "InternalError"), nil
			}
		}, 1},
		"409": {func(t *testing.T) func(int, func() (*http.Response, error)) (*http.Response, error) {
			return func(n int, send func() (*http.Response, error)) (*http.Response, error) {
				if n == 1 {
					return answer(http.StatusConflict, "ConditionalRequestConflict"), nil
				}
				return send()
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			server, w := newServer(t), &wire{}
			store := overWire(t, server.URL, w)
			require.NoError(t, store.Announce(t.Context(), guardtest.Token(1, 0)))
			w.onPut, w.requests = tt.onPut(t), nil
			asked := 0
			require.NoError(t, store.Update(t.Context(), guardtest.Token(1, 0), set("report", "key", &asked)))
			require.Equal(t, tt.asked, asked)
			require.NotContains(t, strings.Join(w.requests, " "), "PUT PUT", "a put is never repeated without a look")
			w.onPut = nil
			require.Equal(t, "key", named(t, store, guardtest.Token(1, 0), "report"))
		})
	}
}

// Written, the answer lost, and the manifest replaced by the successor before the writer looks: it must neither be called
// written nor refused.
func TestUnknownIsNeitherClaimedNorRefused(t *testing.T) {
	server, w := newServer(t), &wire{}
	older, newer := guardtest.Token(1, 0), guardtest.Token(2, 0)
	stale, successor := overWire(t, server.URL, w), overWire(t, server.URL, &wire{})
	require.NoError(t, stale.Announce(t.Context(), older))
	w.onPut = func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
		delivered(t, send, http.StatusOK)
		require.NoError(t, successor.Announce(t.Context(), newer))
		return nil, errLost
	}
	asked := 0
	err := stale.Update(t.Context(), older, set("report", "old", &asked))
	require.ErrorIs(t, err, objectstore.ErrUnknown)
	require.ErrorIs(t, err, errLost)
	require.NotErrorIs(t, err, fencing.ErrStale)
	require.NotErrorIs(t, err, fencing.ErrUnavailable)
	require.Equal(t, "old", named(t, successor, newer, "report"), "it was written")
	require.ErrorIs(t, stale.Update(t.Context(), older, set("report", "again", &asked)), fencing.ErrStale)
}

// A stale put that is still on its way when the successor is announced finds its ETag gone, whenever it comes.
func TestLatePutIsRefused(t *testing.T) {
	server, w := newServer(t), &wire{}
	older, newer := guardtest.Token(1, 0), guardtest.Token(2, 0)
	stale, successor := overWire(t, server.URL, w), overWire(t, server.URL, &wire{})
	require.NoError(t, stale.Announce(t.Context(), older))
	ctx, cancel := context.WithCancel(t.Context())
	var late func() (*http.Response, error)
	w.onPut = func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
		late = send
		cancel()
		return nil, errLost
	}
	asked := 0
	require.ErrorIs(t, stale.Update(ctx, older, set("report", "old", &asked)), objectstore.ErrUnknown)
	require.NoError(t, successor.Announce(t.Context(), newer))
	delivered(t, late, http.StatusPreconditionFailed)
	require.NoError(t, successor.Update(t.Context(), newer, set("report", "new", &asked)))
	delivered(t, late, http.StatusPreconditionFailed)
	require.Equal(t, "new", named(t, successor, newer, "report"))
}

// An announcement whose answer is lost is made good by itself, for it may be repeated.
func TestAnnouncementIsRepeated(t *testing.T) {
	server, w := newServer(t), &wire{}
	store, other := overWire(t, server.URL, w), overWire(t, server.URL, &wire{})
	w.onPut = func(n int, send func() (*http.Response, error)) (*http.Response, error) {
		if n == 1 {
			require.NoError(t, other.Announce(t.Context(), guardtest.Token(1, 0)))
			return nil, errLost
		}
		return send()
	}
	require.NoError(t, store.Announce(t.Context(), guardtest.Token(2, 0)))
	mark, err := other.Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.Equal(t, guardtest.Token(2, 0), mark)
}

// canned is a store with a manifest that answers each put in one way.
type canned struct {
	status int
	puts   int
}

func (c *canned) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		c.puts++
		return answer(c.status, http.StatusText(c.status)), nil
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"1"`}},
		Body: io.NopCloser(strings.NewReader(`{"token":"` + guardtest.Token(1, 0).String() + `","write":"x","objects":{}}`)),
	}, nil
}

func TestAttemptsAreBounded(t *testing.T) {
	for status, want := range map[int]struct {
		err  error
		puts int
	}{
		http.StatusPreconditionFailed:  {fencing.ErrUnavailable, 16},
		http.StatusConflict:            {fencing.ErrUnavailable, 16},
		http.StatusForbidden:           {fencing.ErrUnavailable, 1},
		http.StatusServiceUnavailable:  {objectstore.ErrUnknown, 16},
		http.StatusInternalServerError: {objectstore.ErrUnknown, 16},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &canned{status: status}
				client := s3.New(s3.Options{
					BaseEndpoint: aws.String("http://127.0.0.1"), UsePathStyle: true, Region: "us-east-1",
					Credentials: aws.AnonymousCredentials{}, HTTPClient: c,
				})
				store, err := objectstore.New(client, bucket, "", guardtest.Scope)
				require.NoError(t, err)
				asked := 0
				require.ErrorIs(t, store.Update(t.Context(), guardtest.Token(1, 0), set("a", "b", &asked)), want.err)
				require.Equal(t, want.puts, c.puts)
				require.ErrorIs(t, store.Announce(t.Context(), guardtest.Token(2, 0)), fencing.ErrUnavailable)
			})
		})
	}
}
