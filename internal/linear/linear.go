// Package linear looks for an order of calls that overlapped in time which explains all their
// answers: Wing and Gong's search, with Lowe's memory of what led nowhere. In internal/guards it is
// held against porcupine, which is not linked here so that nobody who requires the library gets it.
package linear

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Model is what the calls must be explained by. C is a call with its answer.
type Model[S comparable, C any] struct {
	Init S

	// Step returns the states that c may leave s in; none if c cannot have happened in s.
	Step func(s S, c C) []S
}

// Call is a call, and when it began and ended by one clock. One that may have its effect at any
// time after it began ends at [Never].
type Call[C any] struct {
	From, To int64
	Call     C
}

// Never is the end of a call whose caller does not know when it was over.
const Never = math.MaxInt64

// Verdict is what came of a search.
type Verdict string

const (
	Explained   Verdict = "explained"
	Unexplained Verdict = "unexplained"
	Undecided   Verdict = "undecided" // the time was over
)

// Check looks for an order of all calls, each at one instant between its beginning and its end,
// that the model allows. It gives up after limit.
func Check[S comparable, C any](m Model[S, C], calls []Call[C], limit time.Duration) Verdict {
	s := &search[S, C]{model: m, calls: calls, state: m.Init, seen: map[place[S]]struct{}{}}
	s.list()
	return s.run(time.Now().Add(limit))
}

// search walks a list of beginnings and ends in the order of time. A call that has been given its
// place is taken out of the list, both beginning and end. The end of one that has none yet is as
// far as a search can go.
type search[S comparable, C any] struct {
	model Model[S, C]
	calls []Call[C]
	head  event // before the first

	state S
	done  id // of the calls that have their places
	trail []choice[S]
	seen  map[place[S]]struct{}
}

type event struct {
	call       int
	id         id
	end        *event // of a beginning; nil in an end
	prev, next *event
}

// id of a set of calls: theirs, which are random, combined by exclusive or.
type id [2]uint64

func (a id) xor(b id) id { return id{a[0] ^ b[0], a[1] ^ b[1]} }

// place is how far a search had come.
type place[S comparable] struct {
	done  id
	state S
}

// choice is a call that was given its place.
type choice[S comparable] struct {
	at     *event
	before S
	others []S // states that it may leave too, not tried yet
}

// list makes the list. Of what happened at one time, beginnings come first.
func (s *search[S, C]) list() {
	type moment struct {
		at    int64
		ends  bool
		event *event
	}
	var moments []moment
	for i, c := range s.calls {
		end := &event{call: i}
		begin := &event{call: i, id: id{rand.Uint64(), rand.Uint64()}, end: end}
		moments = append(moments, moment{c.From, false, begin}, moment{c.To, true, end})
	}
	slices.SortStableFunc(moments, func(a, b moment) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.ends == b.ends:
			return 0
		case a.ends:
			return 1
		default:
			return -1
		}
	})
	last := &s.head
	for _, m := range moments {
		last.next, m.event.prev = m.event, last
		last = m.event
	}
}

func (s *search[S, C]) run(until time.Time) Verdict {
	at := s.head.next
	for n := 0; s.head.next != nil; n++ {
		if n%1024 == 1023 && time.Now().After(until) {
			return Undecided
		}
		if at.end != nil {
			if s.place(at, s.model.Step(s.state, s.calls[at.call].Call)) {
				at = s.head.next
			} else {
				at = at.next
			}
			continue
		}
		if len(s.trail) == 0 {
			return Unexplained
		}
		last := s.back()
		if s.place(last.at, last.others) {
			at = s.head.next
		} else {
			at = last.at.next
		}
	}
	return Explained
}

// place gives a call its place, if one of the states that it may leave led nowhere yet.
func (s *search[S, C]) place(at *event, states []S) bool {
	done := s.done.xor(at.id)
	for i, next := range states {
		if _, was := s.seen[place[S]{done, next}]; was {
			continue
		}
		s.seen[place[S]{done, next}] = struct{}{}
		s.trail = append(s.trail, choice[S]{at, s.state, states[i+1:]})
		s.state, s.done = next, done
		at.out()
		at.end.out()
		return true
	}
	return false
}

// back takes the last call's place away again.
func (s *search[S, C]) back() choice[S] {
	last := s.trail[len(s.trail)-1]
	s.trail = s.trail[:len(s.trail)-1]
	s.state, s.done = last.before, s.done.xor(last.at.id)
	last.at.end.in()
	last.at.in()
	return last
}

func (e *event) out() {
	e.prev.next = e.next
	if e.next != nil {
		e.next.prev = e.prev
	}
}

// in puts e back where it was: the last one out is the first one in.
func (e *event) in() {
	e.prev.next = e
	if e.next != nil {
		e.next.prev = e
	}
}
