package serving

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxHeld is how much of an answer is held back, in bytes. The server needs no chunks for as much.
const maxHeld = 2 << 10

// answer is the ResponseWriter of a request that was let in. It belongs to the handler's goroutine,
// but for what mu guards.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	entry   *Entry
	before  http.Header // as it was before the handler
	header  http.Header // as it was when status was set
	status  int         // 0: none yet
	held    []byte
	passed  int64 // bytes of the body that were sent

	mu sync.Mutex
	is phase
}

type phase struct {
	sent     bool // the first byte left, or is about to
	over     bool // the term is
	hijacked bool
}

func newAnswer(w http.ResponseWriter, entry *Entry) *answer {
	return &answer{
		w: w, control: http.NewResponseController(w), entry: entry, before: w.Header().Clone(),
	}
}

func (a *answer) phase() phase {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.is
}

// begin reports that the first byte is about to leave. The error is why it may not.
func (a *answer) begin() error {
	err := a.entry.Err()
	if err == nil && !a.allowed() {
		err = a.entry.gate.refusal(true)
	}
	return err
}

func (a *answer) allowed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.is.sent = !a.is.over
	return a.is.sent
}

// cut is called when the term ends. It ends calls that block in the connection, now and later.
// Nothing blocks in writing before the answer has begun, and the refusal can still be written then.
func (a *answer) cut() {
	a.mu.Lock()
	a.is.over = true
	is := a.is
	a.mu.Unlock()
	if is.hijacked {
		return // the connection is closed by itself
	}
	a.entry.end() // first, as the server ends the context, too, when it cannot read
	past := time.Unix(1, 0)
	_ = a.control.SetReadDeadline(past) // if this fails, there is no connection to block in
	if is.sent {
		_ = a.control.SetWriteDeadline(past)
	}
}

// send lets the answer begin, if it has not, and the term lasts.
func (a *answer) send() error {
	if a.phase().sent {
		return a.entry.Err()
	}
	if err := a.begin(); err != nil {
		return err
	}
	if a.status != 0 {
		a.writeHeader()
	}
	held := a.held
	a.held = nil
	if len(held) == 0 {
		return nil
	}
	return a.pass(a.w.Write(held))
}

// writeHeader sends the header as it was when status was set. What was set later is for trailers.
func (a *answer) writeHeader() {
	later := a.w.Header().Clone()
	replace(a.w.Header(), a.header)
	a.w.WriteHeader(a.status)
	replace(a.w.Header(), later)
}

func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}

// answers sets the status, unless there is one.
func (a *answer) answers(status int) {
	if a.status == 0 {
		a.status, a.header = status, a.w.Header().Clone()
	}
}

func (a *answer) pass(n int, err error) error {
	a.passed += int64(n)
	return err
}

// finish is called when the handler has returned. The error is the answer if the handler's may not
// leave; the header is then as it was before. If the body may be incomplete, finish breaks the
// connection off.
func (a *answer) finish() error {
	is := a.phase()
	switch err := a.entry.Err(); {
	case is.hijacked:
	case !is.sent && (err != nil || a.send() != nil && !a.phase().sent):
		replace(a.w.Header(), a.before)
		return a.entry.gate.refusal(true)
	case is.sent && err != nil && !a.complete():
		panic(http.ErrAbortHandler)
	}
	return nil
}

// complete reports whether the body is known to be whole.
func (a *answer) complete() bool {
	length, err := strconv.ParseInt(a.w.Header().Get("Content-Length"), 10, 64)
	return err == nil && length == a.passed
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.w.Header() }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	switch {
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		if a.entry.Err() == nil {
			a.w.WriteHeader(status) // informational, and at once
		}
	case status == http.StatusSwitchingProtocols:
		a.answers(status)
		_ = a.send()
	default:
		a.answers(status)
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	if err := a.entry.Err(); err != nil {
		return 0, err
	}
	a.answers(http.StatusOK)
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	begun := a.phase().sent
	if !begun && len(a.held)+len(p) <= maxHeld {
		a.held = append(a.held, p...)
		return len(p), nil
	}
	if err := a.send(); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	if err = a.pass(n, err); err == nil && !begun {
		_ = a.control.Flush() // what the term was asked for leaves now
	}
	return n, err
}

// WriteString implements [io.StringWriter].
func (a *answer) WriteString(s string) (int, error) { return a.Write([]byte(s)) }

// ReadFrom lets the server copy a file in its own way.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if !a.phase().sent { // it may be short
		n, err := io.Copy(struct{ io.Writer }{a}, io.LimitReader(r, maxHeld+1))
		if err != nil || n <= maxHeld {
			return n, err
		}
		more, err := a.ReadFrom(r)
		return n + more, err
	}
	if err := a.entry.Err(); err != nil {
		return 0, err
	}
	n, err := io.Copy(a.w, r)
	a.passed += n
	return n, err
}

// Flush implements [http.Flusher].
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is for [http.ResponseController].
func (a *answer) FlushError() error {
	a.answers(http.StatusOK)
	if err := a.send(); err != nil {
		return err
	}
	return a.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.w }

// SetReadDeadline is for [http.ResponseController]. It does not undo the end of the term.
func (a *answer) SetReadDeadline(t time.Time) error {
	return a.deadline(a.control.SetReadDeadline, t)
}

// SetWriteDeadline is for [http.ResponseController]. It does not undo the end of the term.
func (a *answer) SetWriteDeadline(t time.Time) error {
	return a.deadline(a.control.SetWriteDeadline, t)
}

func (a *answer) deadline(set func(time.Time) error, t time.Time) error {
	err := set(t)
	if a.phase().over {
		a.cut()
	}
	return err
}
