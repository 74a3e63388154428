//go:build unix

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// TestMain lets the test binary be the replicas that the story starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == replicaArg {
		main()
		return
	}
	os.Exit(m.Run())
}

// transcript is what story and replicas say, at once.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func TestStory(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	var out transcript
	err := tell(t.Context(), &out)
	out.mu.Lock()
	defer out.mu.Unlock()
	t.Log(out.text.String())
	require.NoError(t, err)
	require.Contains(t, out.text.String(), "REFUSED: fencing: stale token")
	require.Contains(t, out.text.String(), "The numbers are 1 to ")
}

func tokenOf(epoch int64, term string) fencing.Token {
	return fencing.Token{Scope: fencing.Scope(namespace, leaseName), Epoch: epoch, Term: strings.Repeat(term, 32)}
}

func TestAuditSeesWhatFencingPrevents(t *testing.T) {
	one, two := tokenOf(1, "a"), tokenOf(2, "b")
	good := []change{{"n", "1", one}, {"n", "2", one}, {"n", "3", two}}
	require.NoError(t, audit(nil))
	require.NoError(t, audit(good))
	for name, late := range map[string]change{
		"a late write of an older term":  {"n", "3", one},
		"the right number, but too late": {"n", "4", one},
		"a number twice":                 {"n", "3", two},
		"a gap":                          {"n", "5", two},
		"two terms of one epoch":         {"n", "4", tokenOf(2, "c")},
	} {
		require.Error(t, audit(append(slices.Clip(good), late)), name)
	}
}

func TestStore(t *testing.T) {
	s, err := newStore(fencing.Scope(namespace, leaseName))
	require.NoError(t, err)
	send := func(method, path string, token fencing.Token, text string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(text))
		if value, err := httpfence.Format(token); err == nil {
			r.Header.Set(httpfence.HeaderToken, value)
		}
		s.ServeHTTP(w, r)
		return w
	}
	one, two, none := tokenOf(1, "a"), tokenOf(2, "b"), fencing.Token{}
	require.Equal(t, http.StatusNotFound, send(http.MethodGet, "/values/n", none, "").Code)
	require.Equal(t, http.StatusPreconditionRequired, send(http.MethodPut, "/values/n", none, "0").Code)
	require.Equal(t, http.StatusNoContent, send(http.MethodPost, "/guard", one, "").Code)
	require.Equal(t, http.StatusNoContent, send(http.MethodPut, "/values/n", one, "1").Code)
	require.Equal(t, http.StatusNoContent, send(http.MethodPost, "/guard", two, "").Code)
	require.Equal(t, http.StatusPreconditionFailed, send(http.MethodPut, "/values/n", one, "2").Code)
	require.Equal(t, http.StatusBadRequest, send(http.MethodPut, "/values/n", two, strings.Repeat("x", 2000)).Code)
	require.Equal(t, "1", send(http.MethodGet, "/values/n", none, "").Body.String())
	history, refused := s.state()
	require.Equal(t, []change{{"n", "1", one}}, history)
	require.Equal(t, 1, refused)
}
