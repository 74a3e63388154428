package apiserver

import (
	"math"
	"slices"
	"time"
)

// Fault is what happens to some requests of one client, beside the condition of
// its [Link]. One request meets at most one fault: the first injected one that
// matches. The zero Fault matches every request and changes nothing.
type Fault struct {
	// Verbs that it matches: get, list, watch, create, update, patch, delete.
	// Empty: all of them.
	Verbs []string
	// Skip lets that many matching requests pass unharmed first.
	Skip int
	// Count is how many requests it then hits; 0 means all until removed.
	Count int

	// LoseRequest breaks the connection before the server has seen the request.
	LoseRequest bool
	// HangRequest: the server never sees the request and the client gets no
	// answer until it gives up.
	HangRequest bool
	// DelayBefore is how long the request takes to the server. It arrives, and a
	// write is committed, even if the client has given up meanwhile.
	DelayBefore time.Duration
	// Status is the HTTP status, 400 to 599, answered instead of serving the request.
	Status int
	// RetryAfter goes into the Retry-After header of that answer, rounded up to
	// whole seconds; 0 sends none. Note that client-go itself waits and retries
	// when it gets the header with 429 or 5xx.
	RetryAfter time.Duration
	// DelayAfter is how long the answer takes, after the commit.
	DelayAfter time.Duration
	// LoseAnswer breaks the connection after the commit.
	LoseAnswer bool
	// HangAnswer: the write is committed and never answered.
	HangAnswer bool
	// Then, if set, is called for each request hit: after the commit (or when the
	// request is lost or refused with Status) and before the client can notice. It
	// runs on a goroutine of the server, with no lock held, and must not wait for
	// that client.
	Then func()
}

type injected struct {
	Fault
	seen int
}

func (f *injected) hit() {
	if f.Then != nil {
		f.Then()
	}
}

// Inject adds a fault to the link. remove takes it away again; requests that it
// has already hit are not helped by that.
func (l *Link) Inject(f Fault) (remove func()) {
	in := &injected{Fault: f}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, in)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.faults = slices.DeleteFunc(l.faults, func(g *injected) bool { return g == in })
	}
}

// fault returns the fault that the next request of this verb meets.
func (l *Link) fault(verb string) *injected {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if verb == "" || (len(f.Verbs) > 0 && !slices.Contains(f.Verbs, verb)) {
			continue
		}
		f.seen++
		if f.seen > f.Skip && (f.Count == 0 || f.seen <= f.Skip+f.Count) {
			return f
		}
	}
	return &injected{}
}

func (f Fault) retryAfterSeconds() int {
	return int(math.Ceil(f.RetryAfter.Seconds()))
}
