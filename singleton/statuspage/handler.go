package statuspage

import (
	"bytes"
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/singleton"
)

// Handler shows what one replica knows. Mount it at any path. By the request's Accept header, the
// answer to GET is
//   - a page, for text/html;
//   - a stream of server-sent events that keep the page current, for text/event-stream; or
//   - a [Status] in JSON, for anything else.
//
// HEAD is answered as GET is, without a body. Any other method gets 405, with Allow.
//
// The page needs nothing but this handler, and a strict Content-Security-Policy comes with it. No
// cache may keep an answer. Anybody who reaches the handler may ask, so mount it where operators
// alone reach it. It tells no secrets, but names Pods, programs and versions.
//
// A stream belongs to its request, and makes no goroutine that outlives it. At most 32 streams of
// one handler are open at once; more get 503. A stream sends at most four events a second, and one
// each five seconds. It ends after a minute, when the request ends, or when its [http.Server] is
// shut down. A browser then opens the next one. The server's timeouts do not end a stream, as long
// as middleware lets [http.ResponseController] reach the connection.
//
// The handler is safe for concurrent use.
func Handler(e *singleton.Elector) http.Handler {
	return newPage(func() lookout { return &ownLookout{e} })
}

// SideBySide shows several replicas on one page. peers is called for each look, and returns the
// URLs of their handlers, as made by [Handler]. It must be safe for concurrent use. Each URL is
// asked for JSON, from this process: a browser needs to reach this handler alone. A replica that
// does not answer within a second is shown as it was last.
//
// Answers are as those of Handler, but the JSON is an [Overview]. URLs must come from the program
// or its configuration, and not from whoever asks. SideBySide asks them only while somebody looks.
func SideBySide(peers func() []string) http.Handler {
	known := &memory{seen: map[string]Seen{}}
	return newPage(func() lookout { return newPeers(peers, known) })
}

// Seen is what one replica answered last.
type Seen struct {
	URL string `json:"url,omitempty"`
	// Status is the last answer. It is left out if there was none.
	Status Status `json:"status,omitzero"`
	// Error is why there is no newer answer; left out if there is.
	Error string `json:"error,omitempty"`
}

// Overview is what several replicas know.
type Overview struct {
	At       time.Time `json:"at"`
	Replicas []Seen    `json:"replicas"` // in the order of the URLs
	History  []Term    `json:"history"`  // see [Merge]
}

// lookout is where a request's answer comes from. It belongs to the request's goroutine, which
// closes it.
type lookout interface {
	// look waits for answers, until ctx ends.
	look(ctx context.Context) []Seen
	// glance does not wait. It returns what is known, and has all be asked again.
	glance() []Seen
	// document is the answer in JSON.
	document([]Seen) any
	close()
}

// page is the handler.
type page struct {
	lookout func() lookout
	policy  string
	html    *template.Template
	streams atomic.Int32
	servers servers
}

func newPage(l func() lookout) *page {
	return &page{lookout: l, policy: policy(), html: templates()}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the method must be GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	kind := wanted(r.Header.Get("Accept"))
	if kind == typeEvents && r.Method == http.MethodGet {
		p.stream(w, r)
		return
	}
	l := p.lookout()
	defer l.close()
	seen := l.look(r.Context())
	var body bytes.Buffer
	var err error
	switch kind {
	case typeHTML:
		h.Set("Content-Security-Policy", p.policy)
		h.Set("Referrer-Policy", "no-referrer")
		kind += "; charset=utf-8"
		err = p.html.ExecuteTemplate(&body, "page", newView(seen, time.Now()))
	case typeJSON:
		err = json.NewEncoder(&body).Encode(l.document(seen))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	if r.Method != http.MethodHead {
		_, _ = body.WriteTo(w)
	}
}

// ownLookout is for the elector of this process.
type ownLookout struct{ e *singleton.Elector }

func (l *ownLookout) look(context.Context) []Seen { return l.glance() }
func (l *ownLookout) glance() []Seen              { return []Seen{{Status: Of(l.e)}} }
func (l *ownLookout) document(seen []Seen) any    { return seen[0].Status }
func (l *ownLookout) close()                      {}
