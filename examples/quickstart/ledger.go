package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// tokenHeader carries a token's text form: the caller's in a request, the
// mark in an answer.
const tokenHeader = "Fencing-Token"

// entry is one line of the ledger: what the guard admitted, in order.
type entry struct {
	At    int64         `json:"at"`
	Kind  string        `json:"kind"` // entryAnnounced or entryRecord
	Token fencing.Token `json:"token"`
	record
}

const (
	entryAnnounced = "announced"
	entryRecord    = "record"
)

// record is what the active writes. PID and N make it unique.
type record struct {
	Replica string `json:"replica,omitempty"`
	PID     int    `json:"pid,omitempty"`
	N       int    `json:"n,omitempty"`
}

// ledger is the shared resource: an append-only file behind a guard, served
// over HTTP to the replicas. The mark lives in memory as long as the server
// does, which is as long as the ledger is written.
//
//	POST /announcements   a new term's token, before its work    204
//	POST /records         one record                             201
//	GET  /mark?scope=...  the mark                    200, or 204 for none
//
// Refusals: 400 malformed token or another scope's, 409 another term has this
// epoch, 412 stale, 428 no token, 503 cannot tell now.
type ledger struct {
	scope string
	guard *fencing.Memory
	file  *os.File // opened with O_APPEND; one Write is one entry
	http.Handler
}

func newLedger(scope string, file *os.File) (*ledger, error) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		return nil, err
	}
	l := &ledger{scope: scope, guard: guard, file: file}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /announcements", l.announce)
	mux.HandleFunc("POST /records", l.record)
	mux.HandleFunc("GET /mark", l.mark)
	l.Handler = mux
	return l, nil
}

func (l *ledger) announce(w http.ResponseWriter, r *http.Request) {
	if err := l.append(r, entry{Kind: entryAnnounced}); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *ledger) record(w http.ResponseWriter, r *http.Request) {
	e := entry{Kind: entryRecord}
	// The body comes first: a slow sender must not be in flight behind the guard.
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&e.record); err != nil {
		http.Error(w, "record: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := l.append(r, e); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// append makes check and effect one thing: between Enter and leave no newer
// token is admitted, so nothing older can be appended after a newer entry,
// however long this goroutine is parked in between.
func (l *ledger) append(r *http.Request, e entry) error {
	token, err := l.token(r)
	if err != nil {
		return err
	}
	ctx, leave, err := l.guard.Enter(r.Context(), token)
	if err != nil {
		return err
	}
	defer leave()
	e.At, e.Token = now(), token
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // the caller is gone, or a newer token waits for us
		return context.Cause(ctx)
	}
	_, err = l.file.Write(append(line, '\n'))
	return err
}

// token of a request; the zero one, which no guard admits, if it has none.
func (l *ledger) token(r *http.Request) (fencing.Token, error) {
	text := strings.Join(r.Header.Values(tokenHeader), ",")
	if text == "" {
		return fencing.Token{}, nil
	}
	token, err := fencing.ParseToken(text)
	if err == nil {
		err = fencing.OwnToken(token, l.scope)
	}
	return token, err
}

func (l *ledger) mark(w http.ResponseWriter, r *http.Request) {
	mark, err := l.guard.Mark(r.Context(), r.URL.Query().Get("scope"))
	switch {
	case err != nil:
		refuse(w, err)
	case mark.IsZero():
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set(tokenHeader, mark.String())
	}
}

// refuse answers with the status that stands for err, and with the mark that
// won if there is one.
func refuse(w http.ResponseWriter, err error) {
	if _, mark := fencing.Refusal(err); !mark.IsZero() {
		w.Header().Set(tokenHeader, mark.String())
	}
	var status int
	switch fencing.KindOf(err) {
	case fencing.KindStale:
		status = http.StatusPreconditionFailed
	case fencing.KindConflict:
		status = http.StatusConflict
	case fencing.KindMissing:
		status = http.StatusPreconditionRequired
	case fencing.KindMalformed, fencing.KindScope:
		status = http.StatusBadRequest
	default:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}

// readLedger reads a ledger back.
func readLedger(r io.Reader) ([]entry, error) {
	var entries []entry
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("ledger line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}

func readLedgerFile(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return readLedger(bytes.NewReader(text))
}
