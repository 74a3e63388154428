package sim

import (
	"context"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// job is one term's work: it writes to the guarded resource every few seconds
// until its context ends, and then takes a while to return.
type job struct {
	process *process
	ctx     context.Context
	valid   func() bool
	token   func() fencing.Token
	began   time.Time

	// The checker's, under the world's mutex.
	number   int
	ended    time.Time // when its context did
	returned time.Time
	frozen   bool // at least once
	stuck    bool // after its context had ended: it cannot return
	overran  bool // a fault made it outstay its budget
	killed   bool
	misled   time.Time // a restore before its process knew the Lease: it cannot know who held it
	// Reported already:
	overdue, double, overlapped bool
}

const writePeriod = 3 * time.Second

// work is what a candidate does while it leads.
func (p *process) work(j *job) {
	p.world.check.begin(j)
	defer p.world.check.end(j)
	for j.ctx.Err() == nil && p.alive() {
		p.write(j.ctx, j)
		select {
		case <-j.ctx.Done():
		case <-p.killed:
		case <-time.After(writePeriod/2 + p.draw(writePeriod)):
		}
	}
	if p.wasFrozen(j) {
		p.write(context.Background(), j) // it does not know yet that its context has ended
	}
	p.finishUp(j)
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

// write is a write to the guarded resource. Its caller does not wait longer than
// ctx; the write may land all the same.
func (p *process) write(ctx context.Context, j *job) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, _ = p.call(ctx, &message{verb: verbWrite, job: j, token: j.token()}) // the checker judges it
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
// drain for as long as its term is valid; a lost term leaves the stop budget.
func (p *process) finishUp(j *job) {
	budget := p.world.plan.timing(p.node.Node).StopBudget()
	budget = []time.Duration{0, budget / 2, budget}[p.draw(3)]
	p.world.mu.Lock()
	drain := p.drain
	overrun := time.Until(p.node.overrunUntil)
	if overrun > 0 {
		j.overran = true
		p.world.check.felt[Overrun]++
	}
	if drain > 0 && j.valid() {
		p.world.check.felt["drain"]++
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
	p.pause(overrun)
	if p.world.plan.IgnoreStopBudget {
		p.pause(2 * p.world.plan.Timing.LeaseDuration)
	}
}
