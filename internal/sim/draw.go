package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// shape is how a kind is drawn.
type shape struct {
	kind   Kind
	weight int
	lasts  length
	all    bool // may strike everybody at once
	node   bool // strikes a node at all
	n      func(*rand.Rand) int64
}

// length of a fault.
type length int

const (
	once    length = iota
	lasting        // For is up to 45 s
	long           // For is minutes
)

// Effects are what a result's Struck counts: that a kind really did something.
func Effects() []Kind {
	out := []Kind{NoLease, Drain, VersionTwice}
	for _, s := range shapes() {
		if s.kind != Refuse && s.kind != RefuseOnce && s.kind != Lie {
			out = append(out, s.kind)
		}
	}
	for _, status := range refusals() {
		out = append(out, Refuse.of(status))
	}
	for _, status := range single() {
		out = append(out, RefuseOnce.of(status))
	}
	for _, what := range lies() {
		out = append(out, Lie.of(what))
	}
	return out
}

// Kinds are those that [DrawAlone] knows.
func Kinds() []Kind {
	out := []Kind{NoLease}
	for _, s := range shapes() {
		out = append(out, s.kind)
	}
	return out
}

func refusals() []int64 { return []int64{409, 429, 500, 503} }
func single() []int64   { return []int64{401, 403, 409} }
func lies() []int64     { return []int64{lieEmpty, lieTaken, lieCleared} }

// of is the effect of one sort of a kind.
func (k Kind) of(sort int64) Kind { return Kind(fmt.Sprintf("%s-%d", k, sort)) }

func between(low, high int64) func(*rand.Rand) int64 {
	return func(r *rand.Rand) int64 { return low + r.Int64N(high-low+1) }
}

func oneOf(values ...int64) func(*rand.Rand) int64 {
	return func(r *rand.Rand) int64 { return values[r.IntN(len(values))] }
}

func shapes() []shape {
	some, percent := oneOf(30, 60, 100), oneOf(20, 50, 100)
	return []shape{
		// kind, weight, lasts, all, node, n
		{Cut, 6, lasting, true, true, nil}, {BlackHole, 10, lasting, true, true, nil},
		{DelayRequest, 8, lasting, true, true, between(50, 20_000)},
		{DelayAnswer, 8, lasting, true, true, between(50, 20_000)},
		{LoseRequest, 4, lasting, true, true, some}, {LoseAnswer, 6, lasting, true, true, some},
		{HangAnswer, 6, lasting, true, true, some}, {Refuse, 5, lasting, true, true, oneOf(refusals()...)},
		{EndWatches, 3, once, true, true, nil}, {ExpireWatches, 3, once, true, true, nil},
		{Duplicate, 3, lasting, true, true, percent}, {Stale, 4, lasting, true, true, percent},
		{Reorder, 4, lasting, true, true, percent}, {SlowEvents, 4, lasting, true, true, between(50, 30_000)},
		{Restart, 3, lasting, false, false, nil}, {Compact, 3, lasting, false, false, nil},
		{Restore, 2, once, false, false, between(100, 60_000)}, {Bumped, 3, once, false, false, between(100, 60_000)},
		{Delete, 4, once, false, false, nil}, {Label, 4, once, false, false, nil},
		{Foreign, 3, once, false, false, nil}, {Clear, 3, once, false, false, nil},
		{Tamper, 4, once, false, false, between(0, 3)}, {RaiseEpoch, 3, once, false, false, between(1, 1000)},
		{Lower, 2, once, false, false, nil}, {Shorten, 2, once, false, false, oneOf(1, 3, 30)},
		{Freeze, 6, lasting, false, true, nil}, {Crash, 8, lasting, false, true, oneOf(0, 1)},
		{Stop, 6, lasting, false, true, between(0, 20_000)}, {Resign, 3, once, false, true, nil},
		{Overrun, 5, lasting, false, true, oneOf(0, 1, 2, 2)}, {Hooks, 3, lasting, false, true, nil},
		{GuardDown, 3, lasting, true, true, nil}, {SlowGuard, 4, lasting, true, true, between(50, 9000)},
		{SlowServer, 6, long, false, false, slowness}, {SlowWrites, 3, long, false, false, slowness},
		{PutBack, 8, once, false, false, between(0, 99)}, {Replace, 4, once, false, false, nil},
		{Reship, 4, lasting, true, true, oneOf(1, 2, 2)}, {RefuseOnce, 5, lasting, true, true, oneOf(single()...)},
		{StoppedClock, 4, long, false, true, oneOf(0, 0, 1)}, {Lie, 6, lasting, true, true, falsehood},
		{StaleCache, 4, long, false, false, between(100, 60_000)},
		{SlowAdmission, 0, long, false, false, between(100, 3500)}, // see drawAdmission
		{Name, 0, once, false, false, between(0, 11)},              // see drawNames
		{Wedge, 0, long, false, true, oneOf(0, 0, 0, 1)},           // see drawWedges
	}
}

// admissionOdds: in one plan of so many the server's admission is slow for a while.
const admissionOdds = 12

// drawAdmission draws it beside the other faults, and from numbers of its own, so that
// the plans that were drawn before there was this kind stay what they were.
func drawAdmission(seed uint64, p Plan) []Fault {
	rng := rand.New(rand.NewPCG(seed, 3))
	if rng.IntN(admissionOdds) > 0 {
		return nil
	}
	all := shapes()
	slow := all[slices.IndexFunc(all, func(s shape) bool { return s.kind == SlowAdmission })]
	return []Fault{slow.draw(rng, upTo(rng, lastFault-time.Minute), p)}
}

// drawDeaths draws crashes for a plan with evidence. Half of them are followed by an edit that puts
// the Lease back as it was before, and a third by a cut of somebody's link.
func drawDeaths(seed uint64, p Plan) (out []Fault) {
	rng := rand.New(rand.NewPCG(seed, 4))
	for range 1 + rng.IntN(3) {
		at := upTo(rng, lastFault-time.Minute)
		out = append(out, Fault{Crash, rng.IntN(len(p.Nodes)), at, upTo(rng, 20*time.Second), rng.Int64N(2)})
		if after := at + upTo(rng, 8*time.Second); rng.IntN(2) == 0 {
			out = append(out, Fault{PutBack, -1, after, 0, 2 * rng.Int64N(4)})
		}
		if after := at + upTo(rng, 8*time.Second); rng.IntN(3) == 0 {
			out = append(out, Fault{BlackHole, rng.IntN(len(p.Nodes)), after, upTo(rng, 20*time.Second), 0})
		}
	}
	return out
}

// namingOdds: in one plan of so many somebody names successors.
const namingOdds = 6

// drawNames draws it beside the other faults, and from numbers of its own, as drawAdmission does.
func drawNames(seed uint64, p Plan) (out []Fault) {
	rng := rand.New(rand.NewPCG(seed, 5))
	if rng.IntN(namingOdds) > 0 {
		return nil
	}
	all := shapes()
	s := all[slices.IndexFunc(all, func(s shape) bool { return s.kind == Name })]
	for range 1 + rng.IntN(4) {
		out = append(out, s.draw(rng, upTo(rng, lastFault-time.Minute), p))
	}
	return out
}

// slowness is drawn for a RenewDeadline of 10 s; others' have their share. What
// takes more than six tenths of it leaves no time to renew again.
func slowness(r *rand.Rand) int64 { return (100 + r.Int64N(5901)) * (1 - 2*r.Int64N(2)) }

func falsehood(r *rand.Rand) int64 { return 10*oneOf(30, 60, 100)(r) + oneOf(lies()...)(r) }

// longest is how much longer than ten seconds a long fault lasts.
const longest = 2 * time.Minute

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
	if rng.IntN(ambushOdds) == 0 {
		out = append(out, drawAmbush(rng, p)...)
	}
	return out
}

// ambushOdds: one plan in so many has an ambush.
const ambushOdds = 4

// drawAmbush draws what misleads standbys, at once: while one is cut off, another
// is new, the active is out of reach or goes, and somebody edits the Lease. Which
// node is which is left to chance.
func drawAmbush(rng *rand.Rand, p Plan) []Fault {
	at, gap := 10*time.Second+upTo(rng, lastFault-2*time.Minute), 2*time.Second+upTo(rng, 18*time.Second)
	nodes := rng.Perm(len(p.Nodes))
	some := func(k Kind, node int, least, most time.Duration, n int64) Fault {
		f := Fault{Kind: k, Node: node, At: (at + upTo(rng, gap)).Round(time.Millisecond), N: n}
		if most > 0 {
			f.For = (least + upTo(rng, most-least)).Round(time.Millisecond)
		}
		return f
	}
	out := []Fault{
		{[]Kind{Cut, BlackHole}[rng.IntN(2)], nodes[0], at.Round(time.Millisecond), gap.Round(time.Millisecond), 0},
		some(Crash, nodes[1], 50*time.Millisecond, 2*time.Second, rng.Int64N(2)),
		some(BlackHole, nodes[rng.IntN(len(nodes))], 5*time.Second, 25*time.Second, 0),
	}
	if rng.IntN(2) == 0 {
		out = append(out, some(Resign, nodes[rng.IntN(len(nodes))], 0, 0, 0))
	}
	if rng.IntN(2) == 0 {
		out = append(out, some(Stop, nodes[rng.IntN(len(nodes))], 50*time.Millisecond, 10*time.Second, rng.Int64N(5000)))
	}
	for range 1 + rng.IntN(2) {
		switch kind := []Kind{PutBack, PutBack, Replace, Clear, Delete, Reship, Reship, Foreign}[rng.IntN(8)]; kind {
		case PutBack:
			out = append(out, some(kind, -1, 0, 0, rng.Int64N(100)))
		case Reship:
			out = append(out, some(kind, nodes[rng.IntN(len(nodes))], time.Second, 15*time.Second, 1+rng.Int64N(2)))
		default:
			out = append(out, some(kind, -1, 0, 0, 0))
		}
	}
	return out
}

func (s shape) draw(rng *rand.Rand, at time.Duration, p Plan) Fault {
	f := Fault{Kind: s.kind, Node: -1, At: at.Round(time.Millisecond)}
	if s.node && (!s.all || rng.IntN(4) > 0) {
		f.Node = rng.IntN(len(p.Nodes))
	}
	switch s.lasts {
	case lasting:
		most := []time.Duration{2 * time.Second, 12 * time.Second, 45 * time.Second}[rng.IntN(3)]
		f.For = (50*time.Millisecond + upTo(rng, most)).Round(time.Millisecond)
	case long:
		f.For = min(10*time.Second+upTo(rng, longest), lastFault-f.At).Round(time.Millisecond)
	}
	if s.n != nil {
		f.N = s.n(rng)
	}
	if f.slow() {
		f.N = f.N * int64(p.Timing.RenewDeadline) / int64(10*time.Second)
	}
	return f
}

// DrawAlone makes the plan of a seed in which one fault strikes, of that kind, or,
// with [NoLease], none.
func DrawAlone(seed uint64, e Elector, kind Kind) Plan {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := Draw(seed, e)
	for i := range p.Nodes { // no schedule of two electors
		p.Nodes[i].Elector = e
	}
	p.NoLease, p.REST, p.Faults = kind == NoLease, false, nil
	for _, s := range shapes() {
		if s.kind == kind {
			p.Faults = []Fault{s.draw(rng, 10*time.Second+upTo(rng, lastFault-2*time.Minute), p)}
		}
	}
	return p
}
