package apiclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/singleton"
)

// server answers each request with code and text, and remembers what was asked last.
type server struct {
	code  int
	text  string
	hangs bool // behind the text

	asked int
	last  *http.Request
	body  string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	s.last = r
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.body = string(body)
	}
	answer := io.Reader(strings.NewReader(s.text))
	if s.hangs {
		answer = io.MultiReader(answer, hang{r.Context()})
	}
	return &http.Response{
		StatusCode: s.code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(answer), Request: r,
	}, nil
}

// hang is an answer that does not go on.
type hang struct{ ctx context.Context }

func (h hang) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func (s *server) client(t *testing.T) apiclient.Client {
	t.Helper()
	from, err := singleton.NewClient(&rest.Config{Host: "http://apiserver", Transport: s})
	require.NoError(t, err)
	c, err := apiclient.New(from, 10*time.Second)
	require.NoError(t, err)
	return c
}

func status(code int) string {
	return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d, "message": "as told"}`, code)
}

type object struct {
	Metadata struct{ Name string } `json:"metadata"`
}

func pod(name string) apiclient.Path {
	return apiclient.Path{Group: "/api/v1", Namespace: "shop", Resource: "pods", Name: name}
}

func TestRequests(t *testing.T) {
	ctx, s := t.Context(), &server{code: 200, text: `{"metadata": {"name": "a"}}`}
	c := s.client(t)
	sent := func() string { return s.last.Method + " " + s.last.URL.RequestURI() }

	o, err := apiclient.Get[object](ctx, c, pod("a"))
	require.NoError(t, err)
	require.Equal(t, "a", o.Metadata.Name)
	require.Equal(t, "GET /api/v1/namespaces/shop/pods/a", sent())
	require.Equal(t, "application/json", s.last.Header.Get("Accept"))
	_, err = apiclient.Get[object](ctx, c, apiclient.Path{Group: "/api/v1", Resource: "nodes", Name: "n"})
	require.NoError(t, err)
	require.Equal(t, "GET /api/v1/nodes/n", sent())

	s.text = `{"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}`
	list, err := apiclient.List[object](ctx, c, pod(""), "app=x", "status.phase!=Failed")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "GET /api/v1/namespaces/shop/pods?fieldSelector=status.phase%21%3DFailed&labelSelector=app%3Dx", sent())

	require.NoError(t, c.Create(ctx, pod(""), map[string]string{"a": "b"}))
	require.Equal(t, "POST /api/v1/namespaces/shop/pods", sent())
	require.Equal(t, "application/json", s.last.Header.Get("Content-Type"))
	require.JSONEq(t, `{"a": "b"}`, s.body)
	require.NoError(t, c.Patch(ctx, pod("a"), types.JSONPatchType, []int{1}))
	require.Equal(t, "PATCH /api/v1/namespaces/shop/pods/a", sent())
	require.Equal(t, "application/json-patch+json", s.last.Header.Get("Content-Type"))
	require.JSONEq(t, `[1]`, s.body)
	require.ErrorContains(t, c.Patch(ctx, pod("a"), types.JSONPatchType, func() {}), "patch pods shop/a: json")

	s.text = `{"metadata": 5}`
	_, err = apiclient.Get[object](ctx, c, pod("a"))
	require.ErrorContains(t, err, "get pods shop/a: answer: json")
}

// A refusal is one error for all requests. Nothing is tried again.
func TestRefused(t *testing.T) {
	for code, lasts := range map[int]bool{
		400: true, 401: false, 403: true, 404: true, 409: false, 410: false, 422: true, 429: false, 500: false, 503: false,
	} {
		s := &server{code: code, text: status(code)}
		c := s.client(t)
		for verb, request := range map[string]func() error{
			"get pods shop/a":   func() error { _, err := apiclient.Get[object](t.Context(), c, pod("a")); return err },
			"list pods shop":    func() error { _, err := apiclient.List[object](t.Context(), c, pod(""), "", ""); return err },
			"create pods shop":  func() error { return c.Create(t.Context(), pod(""), object{}) },
			"patch pods shop/a": func() error { return c.Patch(t.Context(), pod("a"), types.MergePatchType, object{}) },
			"watch pods shop/a": func() error {
				_, err := apiclient.Watch(t.Context(), c, pod("a"), func(*object) bool { return true })
				return err
			},
		} {
			s.asked = 0
			err := request()
			require.ErrorContains(t, err, verb+": as told")
			var refused *apierrors.StatusError
			require.ErrorAs(t, err, &refused)
			require.EqualValues(t, code, refused.ErrStatus.Code)
			require.Equal(t, lasts, apiclient.Lasting(err), code)
			require.Equal(t, 1, s.asked, verb)
		}
	}
	require.False(t, apiclient.Lasting(io.EOF))
}

func TestWatch(t *testing.T) {
	added, deleted := `{"type": "ADDED", "object": {"metadata": {"name": "a"}}}`, `{"type": "DELETED", "object": {}}`
	for name, tt := range map[string]struct {
		text, err string
		events    int
		seen      bool
	}{
		"enough":         {text: added + added + added, events: 2, seen: true},
		"not yet":        {text: added, events: 1},
		"deleted":        {text: added + deleted, events: 1},
		"bookmark":       {text: `{"type": "BOOKMARK", "object": {}}`},
		"refused later":  {text: `{"type": "ERROR", "object": ` + status(410) + `}`, err: "watch pods shop/a: as told"},
		"no event":       {text: `{"type": 5}`, err: "watch pods shop/a: json"},
		"no object":      {text: `{"type": "ADDED", "object": {"metadata": 5}}`, err: "watch pods shop/a: event: json"},
		"no status":      {text: `{"type": "ERROR", "object": 5}`, err: "watch pods shop/a: event: json"},
		"cut in between": {text: added + `{"type"`, events: 1, err: "watch pods shop/a: unexpected EOF"},
	} {
		s := &server{code: 200, text: tt.text}
		events := 0
		seen, err := apiclient.Watch(t.Context(), s.client(t), pod("a"), func(*object) bool {
			events++
			return events == 2
		})
		require.Equal(t, tt.seen, seen, name)
		require.Equal(t, tt.events, events, name)
		if tt.err == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, tt.err, name)
		}
		require.Equal(t, "/api/v1/namespaces/shop/pods", s.last.URL.Path, name)
		require.Equal(t, "metadata.name=a", s.last.URL.Query().Get("fieldSelector"), name)
	}
}

// A server that never ends a watch does not keep it for ever.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{code: 200, hangs: true}
		began := time.Now()
		_, err := apiclient.Watch(t.Context(), s.client(t), pod("a"), func(*object) bool { return true })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, time.Since(began), 5*time.Minute)
		require.Less(t, time.Since(began), 8*time.Minute)

		began = time.Now()
		_, err = apiclient.Get[object](t.Context(), s.client(t), pod("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}
