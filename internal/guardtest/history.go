package guardtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/linear"
)

type kind int

const (
	announce kind = iota // Announce or Check: admits, changes no value
	write                // Write
	read                 // Read
	readMark             // Mark
)

// call is one call as its client knows it.
type call struct {
	kind  kind
	token fencing.Token // presented; of readMark: the answer
	value string        // written; of read: the answer
	err   error
}

// state is what a guard and its register must remember. It shares no code with
// package fencing.
type state struct {
	epoch   int64 // of the mark
	term    string
	settled int64 // highest epoch that a call returned for: no lower one has effects any more
	value   string
}

// A step is a part of a call that happens at one instant. Between its check and
// its end a call may raise the mark for all to see while the effect of an older
// one, which was admitted before, is still to come.
type step struct {
	name string
	call
	next func(s state, c call) []state // after it; none if it cannot happen in s
}

func only(s state, ok bool) []state {
	if ok {
		return []state{s}
	}
	return nil
}

func (s state) raised(t fencing.Token) state {
	if t.Epoch > s.epoch {
		s.epoch, s.term = t.Epoch, t.Term
	}
	return s
}

func (s state) admits(t fencing.Token) bool {
	return t.Epoch > s.epoch || t.Epoch == s.epoch && t.Term == s.term
}

func admitted(s state, c call) []state { return only(s.raised(c.token), s.admits(c.token)) }

func perhapsRaised(s state, c call) []state { return []state{s, s.raised(c.token)} }

func settled(s state, c call) []state {
	s.settled = max(s.settled, c.token.Epoch)
	return []state{s}
}

func written(s state, c call) []state {
	ok := s.settled <= c.token.Epoch
	s.settled, s.value = c.token.Epoch, c.value
	return only(s, ok)
}

func perhapsWritten(s state, c call) []state { return append(written(s, c), s) }

func sawValue(s state, c call) []state { return only(s, c.value == s.value) }

func sawMark(s state, c call) []state {
	return only(s, c.token.Epoch == s.epoch && c.token.Term == s.term)
}

func wasStale(s state, c call) []state { return only(s, c.token.Epoch < s.epoch) }

func wasConflict(s state, c call) []state {
	return only(s, c.token.Epoch == s.epoch && c.token.Term != s.term)
}

// steps are what c is made of.
func (c call) steps() []step {
	is := func(name string, next func(state, call) []state) step { return step{name, c, next} }
	switch {
	case c.kind == read:
		return []step{is("read", sawValue)}
	case c.kind == readMark:
		return []step{is("mark", sawMark)}
	// A refused call may have raised the mark, waited for older work, and been overtaken.
	case errors.Is(c.err, fencing.ErrStale):
		return []step{is("raise?", perhapsRaised), is("stale", wasStale)}
	case errors.Is(c.err, fencing.ErrConflict):
		return []step{is("raise?", perhapsRaised), is("conflict", wasConflict)}
	case c.kind == write && c.err == nil:
		return []step{is("check", admitted), is("write", written)}
	case c.kind == write:
		return []step{is("raise?", perhapsRaised), is("write?", perhapsWritten)}
	case c.err == nil:
		return []step{is("check", admitted), is("settle", settled)}
	default:
		return []step{is("raise?", perhapsRaised)}
	}
}

func model() linear.Model[state, step] {
	return linear.Model[state, step]{Step: func(s state, c step) []state { return c.next(s, c.call) }}
}

// history collects calls of clients at once.
type history struct {
	clock atomic.Int64 // grows with every call and answer

	mu         sync.Mutex
	operations []linear.Call[step]
	calls      []call
}

// done adds a call that began at since and has its answer now.
func (h *history) done(since int64, c call) {
	until := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
	if c.err != nil && !refused(c.err) {
		if c.kind == read || c.kind == readMark {
			return // it says nothing
		}
		until = linear.Never // it may happen at any time from now on
	}
	for _, s := range c.steps() {
		h.operations = append(h.operations, linear.Call[step]{From: since, To: until, Call: s})
	}
}

func refused(err error) bool {
	return errors.Is(err, fencing.ErrStale) || errors.Is(err, fencing.ErrConflict)
}

// judge looks for an order of the calls, each within its own interval, that
// explains all answers.
func (h *history) judge() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch linear.Check(model(), h.operations, 10*time.Second) {
	case linear.Explained:
		return nil
	case linear.Unexplained:
		return fmt.Errorf("no order of %d calls explains their answers", len(h.calls))
	default:
		return h.judgeFewer()
	}
}

var errUndecided = errors.New("whether an order explains the answers was not found out in time")

// judgeFewer looks for an explanation in which few of the calls without an
// answer ever happened, the fewest first. A write that lands long after its
// caller went on is what the search over all of them tries last: it places each
// call as early as it can.
func (h *history) judgeFewer() error {
	until := time.Now().Add(time.Minute)
	var known []linear.Call[step]
	unknown := map[int64][]linear.Call[step]{} // by when the call began
	for _, o := range h.operations {
		if o.To == linear.Never {
			unknown[o.From] = append(unknown[o.From], o)
		} else {
			known = append(known, o)
		}
	}
	calls := slices.Sorted(maps.Keys(unknown))
	// try adds count of the calls from first on, in every way.
	var try func(some []linear.Call[step], first, count int) bool
	try = func(some []linear.Call[step], first, count int) bool {
		if count == 0 {
			return linear.Check(model(), some, 5*time.Second) == linear.Explained
		}
		for i := first; i <= len(calls)-count && time.Now().Before(until); i++ {
			if try(slices.Concat(some, unknown[calls[i]]), i+1, count-1) {
				return true
			}
		}
		return false
	}
	for count := range len(calls) + 1 {
		if try(known, 0, count) {
			return nil
		}
	}
	return fmt.Errorf("%w: %d calls, %d of them without one", errUndecided, len(h.calls), len(calls))
}

// count says how many calls had which outcome.
func (h *history) count() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := map[string]int{}
	for _, c := range h.calls {
		switch {
		case c.err == nil:
			counts["ok"]++
		case errors.Is(c.err, fencing.ErrStale):
			counts["stale"]++
		case errors.Is(c.err, fencing.ErrConflict):
			counts["conflict"]++
		default:
			counts["unknown"]++
		}
	}
	return counts
}

// recorder is a client whose calls go into a history.
type recorder struct {
	Client
	history *history
}

func (r recorder) announce(ctx context.Context, t fencing.Token) error {
	since := r.history.clock.Add(1)
	err := r.Announce(ctx, t)
	r.history.done(since, call{kind: announce, token: t, err: err})
	return err
}

func (r recorder) check(ctx context.Context, t fencing.Token) error {
	since := r.history.clock.Add(1)
	present := r.Announce
	if c, ok := r.Client.(fencing.Checker); ok {
		present = c.Check
	}
	err := present(ctx, t)
	r.history.done(since, call{kind: announce, token: t, err: err})
	return err
}

func (r recorder) write(ctx context.Context, t fencing.Token, value string, between func()) error {
	since := r.history.clock.Add(1)
	err := r.Write(ctx, t, value, between)
	r.history.done(since, call{kind: write, token: t, value: value, err: err})
	return err
}

func (r recorder) read(ctx context.Context) (string, error) {
	since := r.history.clock.Add(1)
	value, err := r.Read(ctx)
	r.history.done(since, call{kind: read, value: value, err: err})
	return value, err
}

func (r recorder) readMark(ctx context.Context) error {
	since := r.history.clock.Add(1)
	mark, err := r.Mark(ctx, Scope)
	r.history.done(since, call{kind: readMark, token: mark, err: err})
	return err
}
