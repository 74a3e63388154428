package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong, from At, for a while.
type Fault struct {
	Kind Kind
	Node int // whose; -1 for everybody's
	At   time.Duration
	For  time.Duration
	N    int64 // what it means depends on Kind
}

// Kind of a [Fault].
type Kind string

const (
	// On a node's link, or everybody's.
	Cut          Kind = "cut"           // connections break, new ones are refused
	BlackHole    Kind = "black-hole"    // messages vanish
	DelayRequest Kind = "delay-request" // by N ms, before the commit
	DelayAnswer  Kind = "delay-answer"  // by N ms, after the commit
	LoseRequest  Kind = "lose-request"  // N % of the requests: reset before the commit
	LoseAnswer   Kind = "lose-answer"   // N % of the answers: reset after the commit
	HangAnswer   Kind = "hang-answer"   // N % of the answers never come
	Refuse       Kind = "refuse"        // HTTP status N: 409, 429, 500, 503

	// On watches.
	EndWatches    Kind = "end-watches"
	ExpireWatches Kind = "expire-watches" // 410
	Duplicate     Kind = "duplicate"      // N % of the events come twice
	Stale         Kind = "stale"          // N % of the events are followed by an old one
	Reorder       Kind = "reorder"        // N % of the events are overtaken by later ones
	SlowEvents    Kind = "slow-events"    // by N ms

	// On the API server and the Lease.
	Restart Kind = "api-restart"   // every connection breaks, nobody is served meanwhile
	Compact Kind = "compact"       // what was listed is too old to watch from: 410
	Restore Kind = "restore"       // of the backup taken N ms before, without a bump
	Bumped  Kind = "restore-bump"  // the same with --bump-revision
	Delete  Kind = "delete"        // the Lease
	Label   Kind = "label"         // the Lease
	Foreign Kind = "foreign"       // somebody writes itself in as the holder
	Clear   Kind = "clear"         // somebody clears the holder
	Tamper  Kind = "tamper"        // an annotation is removed or garbled
	Fence   Kind = "raise-epoch"   // by N, as an operator fences
	Lower   Kind = "lower-epoch"   // to 1
	Shorten Kind = "edit-duration" // to N seconds

	// On a node.
	Freeze    Kind = "freeze"
	Crash     Kind = "crash"      // back after For; N=1: as a new Pod
	Stop      Kind = "stop"       // graceful, drains N ms; back after For
	Resign    Kind = "resign"     // gives its term up
	Overrun   Kind = "overrun"    // work outstays its context; N=1: which a resignation ends, 2: an intruder
	Hooks     Kind = "hooks"      // block
	GuardDown Kind = "guard-down" // the guard cannot be reached
	SlowGuard Kind = "slow-guard" // calls of the guard take up to N ms each way, and effects too
)

// Effects that are not one kind's own.
const (
	Drain        Kind = "drain"         // work drained with its term still valid
	DrainTimeout Kind = "drain-timeout" // the guard gave up waiting for an older effect
)

func (f Fault) String() string {
	s := fmt.Sprintf("%-14s %s", f.Kind, name(f.Node))
	if f.N != 0 {
		s += fmt.Sprintf(" %d", f.N)
	}
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For)
	}
	return s
}

// over is when nothing of the fault is left.
func (f Fault) over() time.Duration {
	switch late := time.Duration(f.N) * time.Millisecond; f.Kind {
	case Stop: // its work drains
		return f.At + max(f.For, late)
	case SlowGuard: // there, the effect, and back
		return f.At + f.For + 3*late
	case Reorder:
		return f.At + f.For + overtaken
	case DelayRequest, DelayAnswer, SlowEvents: // what was sent last is under way
		return f.At + f.For + late
	}
	return f.At + f.For
}

// code is the fault in one word, for [ParseFaults].
func (f Fault) code() string {
	return fmt.Sprintf("%s:%d:%v:%v:%d", f.Kind, f.Node, f.At, f.For, f.N)
}

// ParseFaults reads the words a replay command lists.
func ParseFaults(text string) ([]Fault, error) {
	var out []Fault
	for word := range strings.FieldsSeq(text) {
		part := strings.Split(word, ":")
		if len(part) != 5 {
			return nil, fmt.Errorf("fault %q must be kind:node:at:for:n", word)
		}
		node, err1 := strconv.Atoi(part[1])
		at, err2 := time.ParseDuration(part[2])
		length, err3 := time.ParseDuration(part[3])
		n, err4 := strconv.ParseInt(part[4], 10, 64)
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				return nil, fmt.Errorf("fault %q: %w", word, err)
			}
		}
		out = append(out, Fault{Kind(part[0]), node, at, length, n})
	}
	return out, nil
}

// shape is how a kind is drawn.
type shape struct {
	kind    Kind
	weight  int
	lasting bool // For is drawn
	all     bool // may strike everybody at once
	node    bool // strikes a node at all
	n       func(*rand.Rand) int64
}

// Effects are what a result's Struck counts: that a kind really did something.
func Effects() []Kind {
	out := []Kind{Drain}
	for _, s := range shapes() {
		if s.kind != Refuse {
			out = append(out, s.kind)
		}
	}
	for _, status := range refusals() {
		out = append(out, refused(status))
	}
	return out
}

func refusals() []int64 { return []int64{409, 429, 500, 503} }

// refused is the effect of a [Refuse].
func refused(status int64) Kind { return Kind(fmt.Sprintf("%s-%d", Refuse, status)) }

func between(low, high int64) func(*rand.Rand) int64 {
	return func(r *rand.Rand) int64 { return low + r.Int64N(high-low+1) }
}

func oneOf(values ...int64) func(*rand.Rand) int64 {
	return func(r *rand.Rand) int64 { return values[r.IntN(len(values))] }
}

func shapes() []shape {
	some, percent := oneOf(30, 60, 100), oneOf(20, 50, 100)
	return []shape{
		{Cut, 6, true, true, true, nil}, {BlackHole, 10, true, true, true, nil},
		{DelayRequest, 8, true, true, true, between(50, 20_000)},
		{DelayAnswer, 8, true, true, true, between(50, 20_000)},
		{LoseRequest, 4, true, true, true, some}, {LoseAnswer, 6, true, true, true, some},
		{HangAnswer, 6, true, true, true, some}, {Refuse, 5, true, true, true, oneOf(refusals()...)},
		{EndWatches, 3, false, true, true, nil}, {ExpireWatches, 3, false, true, true, nil},
		{Duplicate, 3, true, true, true, percent}, {Stale, 4, true, true, true, percent},
		{Reorder, 4, true, true, true, percent}, {SlowEvents, 4, true, true, true, between(50, 30_000)},
		{Restart, 3, true, false, false, nil}, {Compact, 3, true, false, false, nil},
		{Restore, 2, false, false, false, between(100, 60_000)}, {Bumped, 3, false, false, false, between(100, 60_000)},
		{Delete, 4, false, false, false, nil}, {Label, 4, false, false, false, nil},
		{Foreign, 3, false, false, false, nil}, {Clear, 3, false, false, false, nil},
		{Tamper, 4, false, false, false, between(0, 3)}, {Fence, 3, false, false, false, between(1, 1000)},
		{Lower, 2, false, false, false, nil}, {Shorten, 2, false, false, false, oneOf(1, 3, 30)},
		{Freeze, 6, true, false, true, nil}, {Crash, 8, true, false, true, oneOf(0, 1)},
		{Stop, 6, true, false, true, between(0, 20_000)}, {Resign, 3, false, false, true, nil},
		{Overrun, 5, true, false, true, oneOf(0, 1, 2, 2)}, {Hooks, 3, true, false, true, nil},
		{GuardDown, 3, true, true, true, nil}, {SlowGuard, 4, true, true, true, between(50, 9000)},
	}
}

// drawFaults draws 1 to 12 faults, half of them soon after the one before, so
// that they meet.
func drawFaults(rng *rand.Rand, p Plan) []Fault {
	all := shapes()
	total := 0
	for _, s := range all {
		total += s.weight
	}
	var out []Fault
	at := time.Duration(0)
	for range 1 + rng.IntN(12) {
		pick, i := rng.IntN(total), 0
		for ; pick >= all[i].weight; i++ {
			pick -= all[i].weight
		}
		if s := all[i]; at == 0 || rng.IntN(2) == 0 {
			at = upTo(rng, lastFault-time.Minute)
			out = append(out, s.draw(rng, at, p))
		} else {
			out = append(out, s.draw(rng, min(at+upTo(rng, 4*time.Second), lastFault-time.Minute), p))
		}
	}
	slices.SortStableFunc(out, func(a, b Fault) int { return int(a.At - b.At) })
	return out
}

func (s shape) draw(rng *rand.Rand, at time.Duration, p Plan) Fault {
	f := Fault{Kind: s.kind, Node: -1, At: at.Round(time.Millisecond)}
	if s.node && (!s.all || rng.IntN(4) > 0) {
		f.Node = rng.IntN(len(p.Nodes))
	}
	if s.lasting {
		most := []time.Duration{2 * time.Second, 12 * time.Second, 45 * time.Second}[rng.IntN(3)]
		f.For = (50*time.Millisecond + upTo(rng, most)).Round(time.Millisecond)
	}
	if s.n != nil {
		f.N = s.n(rng)
	}
	return f
}
