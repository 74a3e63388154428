//go:build unix

package trial

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Entry is one line of a [Ledger], in the order in which they took effect.
type Entry struct {
	Kind    EntryKind
	Token   fencing.Token
	Record  Record // zero for an announcement
	Refused error  // nil: it is in
}

// EntryKind is what was asked of the ledger.
type EntryKind string

// The kinds.
const (
	Announcement EntryKind = "announcement"
	Writing      EntryKind = "record"
)

// Record is what a replica writes. PID and N make it unique.
type Record struct {
	Replica string
	PID, N  int
}

// tokenHeader carries a token's text form: the caller's in a request, the
// mark in an answer.
const tokenHeader = "Fencing-Token"

// Ledger is what replicas write to over HTTP: a list behind a guard. It lives
// in the process of the trial, which no fault meets.
type Ledger struct {
	URL string

	guard   *fencing.Memory // nil: everything is admitted
	server  *http.Server
	served  chan struct{} // closed when the server is gone
	mu      sync.Mutex
	entries []Entry
}

// NewLedger serves an empty ledger on loopback, without its guard if it is to
// be unguarded. Close it.
func NewLedger(unguarded bool) (*Ledger, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l, err := ServeLedger(listener, unguarded)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return l, nil
}

// ServeLedger serves one on a listener, which it closes.
func ServeLedger(listener net.Listener, unguarded bool) (*Ledger, error) {
	l := &Ledger{served: make(chan struct{})}
	if !unguarded {
		var err error
		if l.guard, err = fencing.NewMemory(fencing.MemoryConfig{}); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /announcements", func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, Announcement) })
	mux.HandleFunc("GET /mark", l.mark)
	mux.HandleFunc("POST /records", func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, Writing) })
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	l.URL = "http://" + listener.Addr().String()
	go func() {
		defer close(l.served)
		_ = l.server.Serve(listener) // until Close
	}()
	return l, nil
}

// Close ends the server.
func (l *Ledger) Close() {
	_ = l.server.Close()
	<-l.served
}

// Entries returns all so far.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// mark tells the guard's mark of a scope, if there is one.
func (l *Ledger) mark(w http.ResponseWriter, r *http.Request) {
	if l.guard == nil {
		http.Error(w, "unguarded", http.StatusServiceUnavailable)
		return
	}
	mark, err := l.guard.Mark(r.Context(), r.URL.Query().Get("scope"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !mark.IsZero() {
		w.Header().Set(tokenHeader, mark.String())
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *Ledger) serve(w http.ResponseWriter, r *http.Request, kind EntryKind) {
	e := Entry{Kind: kind}
	var err error
	if e.Token, err = fencing.ParseToken(r.Header.Get(tokenHeader)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&e.Record); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status := http.StatusNoContent
	if err := l.enter(r.Context(), e); err != nil {
		var stale *fencing.StaleError
		var conflict *fencing.ConflictError
		status = http.StatusServiceUnavailable
		switch {
		case errors.As(err, &stale):
			status = http.StatusPreconditionFailed
			w.Header().Set(tokenHeader, stale.Mark.String())
		case errors.As(err, &conflict):
			status = http.StatusConflict
			w.Header().Set(tokenHeader, conflict.Mark.String())
		}
	}
	w.WriteHeader(status)
}

// enter admits and appends as one thing: between Enter and leave no newer token
// is admitted. Refusals are noted too.
func (l *Ledger) enter(ctx context.Context, e Entry) error {
	if l.guard != nil {
		inside, leave, err := l.guard.Enter(ctx, e.Token)
		if err != nil {
			e.Refused = err
			l.append(e)
			return err
		}
		defer leave()
		ctx = inside
	}
	if ctx.Err() != nil { // the caller is gone, or a newer token waits for us
		return context.Cause(ctx)
	}
	l.append(e)
	return nil
}

func (l *Ledger) append(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}
