package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// exchange is one request under way, on the server's side of the link.
type exchange struct {
	link    *Link
	w       http.ResponseWriter
	r       *http.Request
	req     *request        // nil for a path that is no resource
	ctx     context.Context // ends when the client is gone or the cluster closes
	cancel  context.CancelFunc
	notices chan notice
	broken  atomic.Bool
}

// connKey finds the connection of a request over loopback in its context.
type connKey struct{}

// ServeHTTP makes the cluster an [http.Handler], for use with any server. The
// caller is the user named by the bearer token.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.enter() {
		panic(http.ErrAbortHandler)
	}
	defer c.running.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x := &exchange{
		link: c.Link(userOf(r.Header)), w: w, r: r, req: c.parse(r, body),
		ctx: ctx, cancel: cancel, notices: make(chan notice, 1),
	}
	if x.req == nil {
		x.link.carry(x, "", func() answer { return c.discover(r) })
	} else {
		x.link.carry(x, x.req.verb, func() answer { return c.handle(x.req) })
	}
	if c.ctx.Err() != nil {
		x.reset()
	}
	if x.broken.Load() {
		panic(http.ErrAbortHandler)
	}
}

// reset breaks the connection under the client.
func (x *exchange) reset() {
	x.broken.Store(true)
	if m, ok := x.w.(*memoryAnswer); ok {
		m.end(errReset())
	}
	if conn, ok := x.r.Context().Value(connKey{}).(net.Conn); ok {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so that closing sends a reset
		}
		_ = conn.Close()
	}
	x.cancel()
}

// hang leaves the client without an answer until it gives up.
func (x *exchange) hang() {
	<-x.ctx.Done()
	x.broken.Store(true)
}

func (x *exchange) flush() {
	if f, ok := x.w.(http.Flusher); ok {
		f.Flush()
	}
}

// failure is the answer that a fault puts in the place of the server's.
func (x *exchange) failure(f Fault) answer {
	err := apierrors.NewGenericServerResponse(f.Status, x.r.Method, schema.GroupResource{
		Group: x.req.res.Group, Resource: x.req.res.Resource,
	}, x.req.name, "injected by apiserver", f.retryAfterSeconds(), true)
	x.link.c.record(x.req, f.Status)
	return answer{code: f.Status, obj: statusOf(err)}
}

// write sends the answer.
func (x *exchange) write(c *Cluster, a answer) {
	switch {
	case a.watch != nil:
		a.watch.run(c, x)
		return
	case a.json != nil:
		x.w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(x.w).Encode(a.json)
		return
	case a.obj == nil:
		http.Error(x.w, a.text, a.code)
		return
	}
	info, err := acceptable(x.r.Header, false)
	if err != nil {
		// The error itself says so, in JSON.
		info, _ = runtime.SerializerInfoForMediaType(served(), runtime.ContentTypeJSON)
	}
	data, err := encode(info.Serializer, a.obj)
	if err != nil {
		http.Error(x.w, fmt.Sprintf("Internal Server Error: %v", err), http.StatusInternalServerError)
		return
	}
	x.w.Header().Set("Content-Type", info.MediaType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if s, ok := a.obj.(*metav1.Status); ok && s.Details != nil && s.Details.RetryAfterSeconds > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(s.Details.RetryAfterSeconds)))
	}
	x.w.WriteHeader(a.code)
	_, _ = x.w.Write(data)
}
