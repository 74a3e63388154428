package httpfence

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxKept is how much of an answer an HTTP/2 server buffers, at least, before it sends any. Writing
// that much cannot block.
const maxKept = 2 << 10

// reply is the ResponseWriter of a fenced handler. It records what the handler answers, and whether
// it answered after its context ended. That tells what it means if the handler does not answer.
// Handlers get [reply.writer].
type reply struct {
	http.ResponseWriter
	control *http.ResponseController
	work    *work
	resets  bool // as over HTTP/2: a passed write deadline resets the stream, and no answer can follow

	mu  sync.Mutex
	has spoken
}

// spoken is what a handler has answered.
type spoken struct {
	status   int   // 0: none yet
	body     int64 // bytes
	flushed  bool
	late     bool // some of it came after the context ended
	hijacked bool
	unread   bool // there may be more of the request's body
	cut      bool // a newer term came
	cutReads bool // reads were cut too: the connection cannot serve another request
}

// work is the context of a fenced handler. It records whether the handler could have noticed the
// context's end.
type work struct {
	context.Context //nolint:containedctx // it is one
	heard           atomic.Bool
}

func (w *work) Done() <-chan struct{} {
	w.heard.Store(true)
	return w.Context.Done()
}

func (w *work) Err() error {
	err := w.Context.Err()
	if err != nil {
		w.heard.Store(true)
	}
	return err
}

// Value is what [context.Cause] calls.
func (w *work) Value(key any) any {
	if w.Context.Err() != nil {
		w.heard.Store(true)
	}
	return w.Context.Value(key)
}

// note is called before a status is set, n bytes are written, or buffered data is flushed.
func (o *reply) note(status, n int, flush bool) {
	ended := o.work.Context.Err() != nil
	o.mu.Lock()
	last := o.has.status == 0 && o.has.cutReads
	o.has.status = cmp.Or(o.has.status, status)
	o.has.body += int64(n)
	o.has.flushed = o.has.flushed || flush
	o.has.late = o.has.late || ended
	cut := o.blocks()
	o.mu.Unlock()
	if last {
		o.lastOfItsConnection()
	}
	if cut {
		o.cutWrites()
	}
}

func (o *reply) lastOfItsConnection() {
	if !o.resets {
		o.Header().Set("Connection", "close")
	}
}

// read records the end of the request's body.
func (o *reply) read() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.has.unread = false
}

// blocks reports whether a newer term came and a write may hold it up.
func (o *reply) blocks() bool {
	return o.has.cut && (!o.resets || o.has.flushed || o.has.body > maxKept)
}

// newer ends calls that block in the connection, now and later. If nothing is left to read, the
// server itself reads, to notice when the client goes away. That read must go on: if it met a
// deadline, the server would take that for the client's departure, and end all requests that the
// connection still brings.
func (o *reply) newer() {
	o.mu.Lock()
	o.has.cut = true
	o.has.cutReads = o.has.unread || o.has.hijacked
	reads, writes := o.has.cutReads, o.blocks()
	o.mu.Unlock()
	if reads {
		_ = o.control.SetReadDeadline(past()) // if this fails, there is no connection to block in
	}
	if writes {
		o.cutWrites()
	}
}

func (o *reply) cutWrites() { _ = o.control.SetWriteDeadline(past()) }

func past() time.Time { return time.Unix(1, 0) }

// close answers for a handler that returned after newer, the refusal that ended its work.
func (o *reply) close(newer error) {
	o.mu.Lock()
	has := o.has
	o.mu.Unlock()
	silent, heard := has.status == 0, o.work.heard.Load()
	if silent && has.cutReads && !has.hijacked {
		o.lastOfItsConnection()
	}
	switch {
	case has.hijacked, silent && !heard:
	case silent:
		o.Header().Del("Content-Length")
		Refuse(o.ResponseWriter, newer)
	case has.late:
	case heard && has.status < http.StatusBadRequest && has.cutShort(o.Header()),
		has.cutReads && !has.unread:
		panic(http.ErrAbortHandler) // the body must not look complete; the connection has to end
	case has.cutReads:
		// For the server, which discards the rest of the body.
		_ = o.control.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// cutShort reports whether a body was begun and may be incomplete.
func (has *spoken) cutShort(h http.Header) bool {
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return (has.body > 0 || has.flushed) && (err != nil || length != has.body)
}

// WriteHeader implements [http.ResponseWriter].
func (o *reply) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		o.note(status, 0, false)
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *reply) Write(p []byte) (int, error) {
	o.note(http.StatusOK, len(p), false)
	return o.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (o *reply) WriteString(s string) (int, error) {
	o.note(http.StatusOK, len(s), false)
	return io.WriteString(o.ResponseWriter, s)
}

// ReadFrom lets the server copy a file in its own way, as long as nothing has to be cut.
func (o *reply) ReadFrom(r io.Reader) (int64, error) {
	if o.work.Context.Err() != nil || o.resets {
		return io.Copy(struct{ io.Writer }{o}, r)
	}
	n, err := io.Copy(o.ResponseWriter, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	if n > 0 {
		o.has.status, o.has.body = cmp.Or(o.has.status, http.StatusOK), o.has.body+n
	}
	return n, err
}

// Unwrap is for [http.ResponseController].
func (o *reply) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// FlushError is for [http.ResponseController]. It returns [http.ErrNotSupported] if the server's
// ResponseWriter cannot flush.
func (o *reply) FlushError() error {
	o.note(http.StatusOK, 0, true)
	return o.control.Flush()
}

type flusher struct{ *reply }

func (f flusher) Flush() { _ = f.FlushError() }

type hijacker struct{ *reply }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := h.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	h.has.hijacked = true
	cut := h.has.cut
	h.mu.Unlock()
	if cut {
		err = conn.SetDeadline(past())
	}
	return conn, rw, err
}

// reaches reports whether w, or a ResponseWriter that w wraps, is a T.
func reaches[T any](w http.ResponseWriter) bool {
	for {
		if _, is := w.(T); is {
			return true
		}
		wraps, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wraps.Unwrap()
	}
}

// writer returns the reply with those optional methods that the server's ResponseWriter has too.
func (o *reply) writer() http.ResponseWriter {
	f, h := http.Flusher(flusher{o}), http.Hijacker(hijacker{o})
	flushes := reaches[http.Flusher](o.ResponseWriter)
	hijacks := reaches[http.Hijacker](o.ResponseWriter)
	p, pushes := o.ResponseWriter.(http.Pusher)
	switch {
	case flushes && hijacks && pushes:
		return struct {
			*reply
			http.Flusher
			http.Hijacker
			http.Pusher
		}{o, f, h, p}
	case flushes && hijacks:
		return struct {
			*reply
			http.Flusher
			http.Hijacker
		}{o, f, h}
	case flushes && pushes:
		return struct {
			*reply
			http.Flusher
			http.Pusher
		}{o, f, p}
	case hijacks && pushes:
		return struct {
			*reply
			http.Hijacker
			http.Pusher
		}{o, h, p}
	case flushes:
		return struct {
			*reply
			http.Flusher
		}{o, f}
	case hijacks:
		return struct {
			*reply
			http.Hijacker
		}{o, h}
	case pushes:
		return struct {
			*reply
			http.Pusher
		}{o, p}
	}
	return o
}
