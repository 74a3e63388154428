package sim

import (
	"context"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// job is one term's work: it writes to the guarded resource every few seconds
// until its context ends, and then takes a while to return.
type job struct {
	process  *process
	ctx      context.Context
	valid    func() bool
	token    func() fencing.Token
	progress func() // reports it
	began    time.Time

	// The checker's, under the world's mutex.
	origin
	course
	reported
}

// origin is how a job's term came about.
type origin struct {
	number   int
	shown    map[string]bool // terms its process had been shown when it began
	early    time.Time       // its process's, when it began
	undone   time.Time       // likewise
	acquired time.Time       // when its term was, on the Lease
	knows    time.Time       // when the oldest Lease was created that its process had been shown
}

// course is what became of a job.
type course struct {
	ended    time.Time // when its context did
	returned time.Time
	frozen   bool // at least once
	stuck    bool // after its context had ended: it cannot return
	overran  bool // a fault made it outstay its budget
	hung     bool // a fault had it hang
	killed   bool
}

// reported is what was said of a job already.
type reported struct{ overdue, double, overlapped bool }

const (
	writePeriod  = 3 * time.Second
	writeTimeout = 5 * time.Second
	outboxDelay  = 8 * time.Second // at most
)

// work is what a candidate does while it leads.
func (p *process) work(j *job) {
	p.world.check.begin(j)
	defer p.world.check.end(j)
	for j.ctx.Err() == nil && p.alive() {
		p.hang(j)
		p.writeSome(j)
		j.progress()
		select {
		case <-j.ctx.Done():
		case <-p.killed:
		case <-time.After(writePeriod/2 + p.draw(writePeriod)):
		}
	}
	spent := time.Duration(0)
	if p.wasFrozen(j) { // it does not know yet that its context has ended
		ctx, cancel := context.WithTimeout(context.Background(), poll)
		p.write(ctx, &message{toGuard: toGuard{job: j}})
		cancel()
		spent = poll
	}
	p.finishUp(j, spent)
	p.wasFrozen(j)
}

func (p *process) alive() bool {
	select {
	case <-p.killed:
		return false
	default:
		return true
	}
}

// writeSome writes once or, now and then, several times at once. Some terms'
// writes are left in an outbox, which sends them later, with the term's token,
// whether the term is over or not: for the guard to judge.
func (p *process) writeSome(j *job) {
	var writes sync.WaitGroup
	for range 1 + 2*(p.draw(4)/3) {
		writes.Go(func() { p.write(j.ctx, &message{toGuard: toGuard{job: j}}) })
	}
	if p.draw(5) < 2 {
		late := &message{toGuard: toGuard{job: j, token: j.token(), outbox: true}}
		p.outbox.Go(func() {
			p.pause(p.draw(outboxDelay))
			p.write(context.Background(), late)
		})
	}
	writes.Wait()
}

// write is a write to the guarded resource. Its caller does not wait longer than
// ctx; the write may land all the same.
func (p *process) write(ctx context.Context, m *message) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	m.verb = verbWrite
	if !m.outbox {
		m.token = m.job.token()
	}
	_, _ = p.call(ctx, m) // the checker judges it
}

// wasFrozen waits while the process is frozen, and reports whether it was.
func (p *process) wasFrozen(j *job) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, _ = p.call(ctx, &message{verb: verbGo})
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return j.frozen
}

// poll is how often draining work looks whether its term is still valid.
const poll = 100 * time.Millisecond

// finishUp is what work does after its context has ended: asked to stop, it may
// drain for as long as its term is valid; a lost term leaves the stop budget, of
// which some is spent.
func (p *process) finishUp(j *job, spent time.Duration) {
	budget := p.world.plan.timing(p.node.Node).StopBudget()
	budget = max(0, []time.Duration{0, budget / 2, budget}[p.draw(3)]-spent)
	p.world.mu.Lock()
	drain := p.drain
	overrun := p.node.overrunUntil
	if overrun.After(time.Now()) {
		j.overran = true
		p.world.check.felt[Overrun]++
	}
	if drain > 0 && j.valid() {
		p.world.check.felt[Drain]++
	}
	p.world.mu.Unlock()

	if end := time.Now().Add(drain); j.valid() {
		for time.Now().Before(end) && j.valid() && p.alive() {
			p.pause(min(poll, time.Until(end)))
		}
		budget = max(0, budget-poll)
	}
	if !j.valid() {
		p.pause(budget)
	}
	if j.overran {
		p.pause(time.Until(overrun))
		p.write(context.Background(), &message{toGuard: toGuard{job: j}})
	}
	if p.world.plan.IgnoreStopBudget {
		p.pause(2 * p.world.plan.Timing.LeaseDuration)
	}
}
