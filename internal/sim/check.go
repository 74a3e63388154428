package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// checker looks, after every step, whether what must always hold does.
//
// All but the driver's parts are under the world's mutex: processes report here.
type checker struct {
	w       *world
	serving *message     // what the server is serving; the driver's
	felt    map[Kind]int // faults that processes met

	terms
	narration
	guardLog
	setbacks
	liveness
	traffic
}

// terms are those that began work.
type terms struct {
	jobs    []*job
	live    []*job
	latest  int   // number of the last job that a later write makes stale
	highest int64 // epoch that ever started work, in this era
	twice   bool  // two valid terms were reported
}

// narration is what there is to tell.
type narration struct {
	record bool // keep the story
	story  []line
	found  []Violation
}

// guardLog is what the guard was asked and answered; the driver's.
type guardLog struct {
	calls    []GuardCall
	ticks    int64
	mark     fencing.Token // what an exact guard would hold
	admitted fencing.Token // the highest that a call was answered with
	inFlight map[*message]struct{}
	writes   Writes
}

// setbacks are what excuses, for a while.
type setbacks struct {
	era      int         // restores to a revision there was before: each begins a history in which epochs may repeat
	rewound  time.Time   // the last of them
	restored time.Time   // the last restore, of either kind
	freed    time.Time   // the last one of a Lease that nobody held
	shipped  []time.Time // when the Lease was deleted and shipped anew
	born     map[types.UID]time.Time
}

// liveness is since when there should be an active.
type liveness struct {
	patience   time.Duration // the plan's
	settled    time.Time     // when the plan's last fault is over
	lastActive time.Time
	jammed     time.Time // when nothing could be written last
	late       bool      // the absence of an active was reported
}

// traffic in the quiet end.
type traffic struct {
	renewals int
	others   int // requests
	asked    int // requests in all, hotseat's
}

// Violation of what must hold.
type Violation struct {
	At   time.Duration
	Rule string
	Text string
}

func (v Violation) String() string { return fmt.Sprintf("%v %s: %s", v.At, v.Rule, v.Text) }

// Writes counts guarded writes that arrived after a later term's work began;
// Frozen are those of work that had been frozen.
type Writes struct{ Stale, Refused, Accepted, Frozen int }

func newChecker(w *world) *checker {
	return &checker{
		w: w, felt: map[Kind]int{}, guardLog: guardLog{inFlight: map[*message]struct{}{}},
		setbacks: setbacks{born: map[types.UID]time.Time{}},
		liveness: liveness{patience: w.plan.patience(), settled: w.began.Add(w.plan.settled())},
	}
}

// violate notes a violation; the mutex is held.
func (c *checker) violate(rule, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.found = append(c.found, Violation{c.w.now(), rule, text})
	c.note(-1, true, "VIOLATION "+rule+": "+text)
}

// begin takes in that work started.
func (c *checker) begin(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	p := j.process
	if !p.alive() {
		j.killed = true
		return
	}
	j.number, j.shown = len(c.jobs)+1, maps.Clone(p.shown)
	j.early, j.undone, j.acquired, j.knows = p.early, p.undone, p.acquired, p.oldest
	if j.acquired.IsZero() { // another elector's
		j.acquired = j.began
	}
	c.jobs, c.live = append(c.jobs, j), append(c.live, j)
	context.AfterFunc(j.ctx, func() { c.contextEnded(j) })
	c.w.rouse()
	epoch := j.token().Epoch
	c.note(p.node.index, false, fmt.Sprintf("work begins, epoch %d", epoch))
	if c.w.plan.Nodes[0].Elector == p.node.Elector {
		c.latest = j.number
	}
	if p.node.Elector != Hotseat || p.era < c.era {
		return // it acquired before history was rewound
	}
	if epoch <= c.highest {
		c.violate("tokens grow", "epoch %d after %d", epoch, c.highest)
	}
	c.highest = max(c.highest, epoch)
}

// contextEnded takes in that a job's context ended, at that instant.
func (c *checker) contextEnded(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if j.killed {
		return
	}
	now := time.Now()
	c.checkDeadline(j, now)
	if j.ended = now; j.stalled() && !j.hung {
		c.violate("wedged work gives way", "%s has made progress, and is told that it has stalled", j.process.name)
	}
	c.note(j.process.node.index, false, fmt.Sprintf("context ended: %v", cause(j.ctx)))
	c.w.rouse()
}

// end takes in that work returned.
func (c *checker) end(j *job) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if j.killed {
		return
	}
	c.leave(j)
	c.note(j.process.node.index, false, "work returned")
	c.w.rouse()
}

// crashed takes in that a process is no more: its work stopped with it.
func (c *checker) crashed(p *process) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for _, j := range slices.Clone(c.live) {
		if j.process == p {
			c.leave(j)
			j.killed = true
		}
	}
}

// leave takes a job off those at work, after a last look at it.
func (c *checker) leave(j *job) {
	j.returned = time.Now()
	c.checkDeadline(j, j.returned)
	c.checkPairs(j.returned)
	c.live = slices.DeleteFunc(c.live, func(other *job) bool { return other == j })
}

// returned takes in that a process ended by itself.
func (c *checker) returned(p *process, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if err != nil && p.alive() {
		c.violate("ends in order", "%s: Run returned %v", p.name, err)
	}
}

// reshipped takes in that the Lease was deleted and created from the manifest.
func (c *checker) reshipped() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.shipped = append(c.shipped, time.Now())
}

// rewind takes in that the API server was restored from a backup, to ahead of
// every revision it had, or not; that nobody held the Lease in it if it is free,
// and that its version before is undone.
func (c *checker) rewind(ahead, free bool, undone string) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	now := time.Now()
	c.restored = now
	if free {
		c.freed = now
		for _, j := range c.live {
			j.process.undone = now
		}
	}
	for _, n := range c.w.nodes {
		if n.process != nil && n.process.latest != undone {
			n.process.behind = now
		}
	}
	if !ahead {
		c.era, c.rewound, c.highest = c.era+1, now, 0
	}
}

// step checks what must hold whenever nobody runs. What processes do wakes the
// driver, so that this happens at every instant at which something changed.
func (c *checker) step() {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	now := time.Now()
	for _, j := range c.live {
		if c.w.afflicted(j.process.node.index, Freeze) {
			j.frozen = true
			j.stuck = j.stuck || !j.ended.IsZero()
		}
		if j.ended.IsZero() {
			c.lastActive = now
		}
		c.checkDeadline(j, now)
	}
	c.checkPairs(now)
	c.checkTerms(now)
	c.checkLiveness(now)
}
