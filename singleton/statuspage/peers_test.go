package statuspage

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What becomes of a replica that does not answer as it should.
func TestPeersThatFail(t *testing.T) {
	var mode atomic.Value
	mode.Store("fine")
	hang := make(chan struct{})
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode.Load() {
		case "fine":
			_ = json.NewEncoder(w).Encode(Status{Replica: Replica{Identity: "a_1", State: "standby", At: at(0)}})
		case "error":
			http.Error(w, "no", http.StatusTeapot)
		case "redirect":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		case "html":
			_, _ = w.Write([]byte("<html>"))
		case "long":
			_, _ = w.Write([]byte(`{"identity": "` + strings.Repeat("x", 2*mostAnswer) + `"}`))
		case "hangs":
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case "hangs halfway":
			_, _ = w.Write([]byte(`{"identity": `))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	defer peer.Close()
	defer close(hang)
	urls := []string{peer.URL + "/?password=hunter2", "http://127.0.0.1:1/", ":"}
	h := SideBySide(func() []string { return urls })
	ask := func() (o Overview) {
		t.Helper()
		w := get(h, typeJSON)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &o))
		return o
	}
	first := ask()
	require.Len(t, first.Replicas, 3)
	require.Equal(t, Seen{URL: urls[0], Status: first.Replicas[0].Status}, first.Replicas[0])
	require.Equal(t, "a_1", first.Replicas[0].Status.Identity)
	require.Equal(t, Seen{URL: urls[1], Error: "it cannot be reached"}, first.Replicas[1])
	require.Equal(t, Seen{URL: ":", Error: "the URL is not valid"}, first.Replicas[2])
	urls = urls[:1]
	for is, want := range map[string]string{
		"error": "the answer is 418 I'm a teapot", "redirect": "the answer is 302 Found",
		"html": "the answer is not a status page's JSON", "long": "the answer is not a status page's JSON",
		"hangs": "no answer within 1 s", "hangs halfway": "no answer within 1 s",
	} {
		mode.Store(is)
		o := ask()
		require.Len(t, o.Replicas, 1)
		require.Equal(t, want, o.Replicas[0].Error, is)
		require.Equal(t, "a_1", o.Replicas[0].Status.Identity, "as it was last")
	}
	urls = nil
	require.Empty(t, ask().Replicas)
}

// One replica that hangs holds up nobody on the page: the others are asked at each tick.
func TestPeersDoNotWaitForEachOther(t *testing.T) {
	var asked atomic.Int32
	fine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_ = json.NewEncoder(w).Encode(Status{Replica: Replica{Identity: "a_1"}})
	}))
	defer fine.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hangs.Close()
	p := newPeers(func() []string { return []string{fine.URL, hangs.URL} }, &memory{seen: map[string]Seen{}})
	defer p.close()
	require.Eventually(t, func() bool {
		seen := p.glance()
		require.Equal(t, "it was not asked yet", seen[1].Error)
		return seen[0].Status.Identity == "a_1" && asked.Load() >= 3
	}, askTimeout, 5*time.Millisecond)
}

func TestSideBySideMergesHistories(t *testing.T) {
	var urls []string
	for _, history := range [][]Term{
		{{Holder: "a", Term: "t", Epoch: "1", Start: at(0), End: at(9), Reason: "resigned", Own: true}},
		{{Holder: "b", Term: "u", Epoch: "2", Start: at(9)}, {Holder: "a", Term: "t", Epoch: "1", Start: at(3), End: at(9), Reason: "released"}},
	} {
		peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != typeJSON {
				w.WriteHeader(http.StatusNotAcceptable)
			}
			_ = json.NewEncoder(w).Encode(Status{History: history})
		}))
		defer peer.Close()
		urls = append(urls, peer.URL)
	}
	var o Overview
	w := get(SideBySide(func() []string { return slices.Clone(urls) }), "")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &o))
	require.Len(t, o.History, 2)
	require.Equal(t, []string{"", "resigned"}, []string{o.History[0].Reason, o.History[1].Reason})
}
