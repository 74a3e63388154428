package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// Elector is what a candidate runs.
type Elector int

const (
	Hotseat         Elector = iota
	ClientGo                // tools/leaderelection as its defaults are
	ClientGoRelease         // with ReleaseOnCancel
)

func (e Elector) String() string {
	return [...]string{"hotseat", "client-go", "client-go, ReleaseOnCancel"}[e]
}

// Plan is a whole schedule: who takes part and what happens to them. The same
// Plan gives the same run.
type Plan struct {
	Seed   uint64
	Timing lease.Timing // as a clock of rate 1 measures it
	// FastLease is how long LeaseDuration takes on a fast node's clock; whole
	// seconds, because a Lease carries no fraction.
	FastLease time.Duration
	Latency   time.Duration // of a message: up to it, in either direction
	Nodes     []Node
	NoLease   bool // the Lease is not there at first
	REST      bool // through client-go and apiserver's server
	Shared    bool // each process watches all Leases at once, as one with many does
	Evidence  bool // the API shows, late and not always, which processes are dead
	Faults    []Fault
	Length    time.Duration

	// Deliberate breaches, for negative controls.
	IgnoreStopBudget bool // work goes on for this much longer than it may
	Guard            Guard
}

// Node is a candidate's machine.
type Node struct {
	Elector Elector
	Fast    bool          // its clock is the fast one
	Skew    time.Duration // of its wall clock
}

// name of a node by its index, as stories tell it.
func name(node int) string {
	if node < 0 {
		return "all"
	}
	return string(rune('a' + node))
}

// rate is by how much the fast clock runs fast.
func (p Plan) rate(n Node) float64 {
	if !n.Fast {
		return 1
	}
	return float64(p.Timing.LeaseDuration) / float64(p.FastLease)
}

// timing is what a node's clock must be told for its rate to show in a bubble,
// which has one clock: its durations, shortened.
func (p Plan) timing(n Node) lease.Timing {
	t := p.Timing
	if n.Fast {
		r := p.rate(n)
		t.LeaseDuration = p.FastLease
		t.RenewDeadline = time.Duration(float64(t.RenewDeadline) / r)
		t.RetryPeriod = time.Duration(float64(t.RetryPeriod) / r)
	}
	return t
}

// Pure reports whether all candidates are hotseat's.
func (p Plan) Pure() bool {
	for _, n := range p.Nodes {
		if n.Elector != Hotseat {
			return false
		}
	}
	return true
}

const (
	planLength  = 5 * time.Minute
	lastStart   = 2 * time.Second // of the first processes
	lastFault   = 4 * time.Minute // nothing is broken after it
	restOdds    = 50              // one plan in so many goes through client-go's REST client
	sharedOdds  = 3               // in one plan of so many watches are shared
	foreignOdds = 16              // one plan in so many has a client-go candidate
	deathOdds   = 5               // in one plan of so many there is evidence of deaths
)

// profile is a timing with the lease of the fastest clock that its MaxClockDrift
// allows, exact in whole seconds.
type profile struct {
	lease.Timing
	fast time.Duration
}

func profiles() []profile {
	s := time.Second
	return []profile{
		{lease.Timing{LeaseDuration: 15 * s, RenewDeadline: 10 * s, RetryPeriod: 2 * s, MaxClockDrift: 0.05}, 0},
		{lease.Timing{LeaseDuration: 15 * s, RenewDeadline: 10 * s, RetryPeriod: 2 * s, MaxClockDrift: 1.0 / 14}, 14 * s},
		{lease.Timing{LeaseDuration: 21 * s, RenewDeadline: 14 * s, RetryPeriod: 3 * s, MaxClockDrift: 0.05}, 20 * s},
		{lease.Timing{LeaseDuration: 10 * s, RenewDeadline: 6 * s, RetryPeriod: s, MaxClockDrift: 0.25}, 8 * s},
	}
}

// Draw makes the plan of a seed, for candidates of one kind.
func Draw(seed uint64, e Elector) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	chosen := profiles()[rng.IntN(4)]
	p := Plan{
		Seed: seed, Timing: chosen.Timing, FastLease: chosen.fast, Length: planLength,
		Latency: []time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond}[rng.IntN(3)],
		NoLease: rng.IntN(10) == 0,
	}
	for range 2 + rng.IntN(3) {
		n := Node{Elector: e, Fast: chosen.fast > 0 && rng.IntN(2) == 0}
		if rng.IntN(3) == 0 {
			n.Skew = time.Duration(rng.IntN(13)-6) * time.Hour
		}
		p.Nodes = append(p.Nodes, n)
	}
	if rng.IntN(foreignOdds) == 0 {
		if kind := ClientGo + Elector(rng.IntN(2)); e == Hotseat { // else they all are
			p.Nodes[len(p.Nodes)-1] = Node{Elector: kind}
		}
	}
	p.Faults = append(drawFaults(rng, p), drawAdmission(seed, p)...)
	if seed%deathOdds == 3 {
		p.Evidence, p.Faults = e == Hotseat, append(p.Faults, drawDeaths(seed, p)...)
	}
	p.Faults = append(p.Faults, drawNames(seed, p)...)
	p.Faults = append(p.Faults, drawWedges(seed, p)...)
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	p.Shared = seed%sharedOdds == 0
	if p.REST = seed%restOdds == 0 && p.Pure(); p.REST { // what a clock shows is translated at the other wire only
		for i := range p.Nodes {
			p.Nodes[i].Fast, p.Nodes[i].Skew = false, 0
		}
	}
	return p
}

// Replay is the command that runs the plan again.
func (p Plan) Replay() string {
	texts := make([]string, len(p.Faults))
	for i, f := range p.Faults {
		texts[i] = f.code()
	}
	return fmt.Sprintf("SIM_SEED=%d SIM_ELECTOR=%d SIM_FAULTS='%s' go test ./internal/sim -run '^TestReplay$' -v",
		p.Seed, p.Nodes[0].Elector, strings.Join(texts, " "))
}

// upTo draws from [0, d).
func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
