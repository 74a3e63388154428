package serving

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// HeaderHolder is the header field of a 503 that names the holder of the Lease.
const HeaderHolder = "Hotseat-Holder"

// RequireActive returns a handler that calls next on the active replica only, as the package's
// documentation says. Do not use it for requests that any replica may answer, such as probes.
//
// The [http.ResponseWriter] that next gets is an [http.Flusher], an [http.Hijacker] and an
// [io.ReaderFrom], and works with [http.ResponseController]. If the server's own writer cannot
// hijack, Hijack fails with [http.ErrNotSupported]. Once the term is over, the writer's methods
// fail with a [*NotActiveError]. A panic of next goes on to the server.
func (g *Gate) RequireActive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry, err := g.Enter(r.Context())
		if err != nil {
			refuse(w, r, err)
			return
		}
		defer entry.Leave()
		a := newAnswer(w, entry)
		inner := r.WithContext(entry.Context())
		if r.Body != nil && r.Body != http.NoBody {
			inner.Body = body{r.Body, entry}
		}
		defer func() { r.MultipartForm = inner.MultipartForm }() // the server removes its files
		if err := serve(next, a, inner); err != nil {
			refuse(w, r, err)
		}
	})
}

// serve calls next. The error is the answer if next's may not leave.
func serve(next http.Handler, a *answer, r *http.Request) error {
	cut := make(chan struct{})
	stop := context.AfterFunc(a.entry.term.ctx, func() {
		defer close(cut)
		a.cut()
	})
	defer func() {
		if !stop() {
			<-cut // the ResponseWriter may not be used afterwards
		}
	}()
	next.ServeHTTP(a, r)
	return a.finish()
}

// body is a request's.
type body struct {
	io.ReadCloser
	entry *Entry
}

// Read asks for the term: a part of the body may have arrived before its end.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over := b.entry.Err(); over != nil {
		return 0, over
	}
	return n, err
}

// retryAfter, in seconds: a handover takes less, a failover more.
const retryAfter = "1"

// problem is the body of a 503.
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	State   string `json:"state"`
	Holder  string `json:"holder"`
	Handled bool   `json:"handled"`
}

// refuse answers with 503.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{
		Type: "about:blank", Title: http.StatusText(http.StatusServiceUnavailable),
		Status: http.StatusServiceUnavailable, Detail: err.Error(),
	}
	if refused, ok := errors.AsType[*NotActiveError](err); ok {
		p.State, p.Holder, p.Handled = refused.State.String(), refused.Holder, refused.Handled
	}
	text, _ := json.Marshal(p) // of strings and a bool: it cannot fail
	h := w.Header()
	h.Set("Retry-After", retryAfter)
	h.Set("Connection", "close") // the next request shall find another replica
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if p.Holder != "" {
		h.Set(HeaderHolder, p.Holder)
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text)
	}
}
