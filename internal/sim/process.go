package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/chance"
	"github.com/hotseat-go/hotseat/singleton"
)

// node is a candidate's machine and what it runs now.
type node struct {
	Node
	index   int
	wall    wall
	process *process // nil while none runs
	started int
	pod     pod

	// Under the world's mutex.
	hooksUntil, overrunUntil, wedgedUntil time.Time
}

// process is one incarnation of a candidate.
type process struct {
	world   *world
	node    *node
	number  int // of the node's processes
	name    string
	elector *singleton.Elector
	life

	validFor func() time.Duration // its term; nil before there is an elector. Under the world's mutex.
	knowledge
	excuses
}

// life of a process.
type life struct {
	cancel context.CancelFunc // graceful stop
	drain  time.Duration      // of a graceful stop
	dead   bool               // crashed: what it still does counts for nothing
	killed chan struct{}      // closed then
	outbox sync.WaitGroup
}

// knowledge is what a process has been told. Under the world's mutex, set by the
// driver.
type knowledge struct {
	acknowledged map[string]time.Time // by term: when the last sent of its acknowledged writes was
	shown        map[string]bool      // terms it has been shown on the Lease
	oldest       time.Time            // when the oldest Lease was created that it has been shown
	latest       string               // version of the Lease it was shown last
}

// excuses are what happened to what a process knows. Under the world's mutex, set
// by the driver.
type excuses struct {
	behind   time.Time // the last restore that undid what it had not been shown
	undone   time.Time // the last restore to a Lease nobody held, out of a term
	early    time.Time // the restore before which it sent the write that acquired after it
	acquired time.Time // when it last did
	era      int       // in which it last acquired
}

func newProcess(w *world, n *node, number int, name string) *process {
	return &process{
		world: w, node: n, number: number, name: name,
		life:      life{killed: make(chan struct{})},
		knowledge: knowledge{acknowledged: map[string]time.Time{}, shown: map[string]bool{}},
	}
}

// start starts a process on a node, under the node's name or a new one.
func (w *world) start(n *node, renamed bool) {
	if n.process != nil {
		return
	}
	n.started++
	if w.opened.IsZero() {
		w.opened = time.Now()
	}
	p := newProcess(w, n, n.started, name(n.index))
	if renamed {
		p.name = fmt.Sprintf("%s-%d", p.name, p.number)
	}
	n.process = p
	p.begins(renamed)
	ctx, cancel := context.WithCancel(chance.WithWall(chance.With(context.Background(), p.draw), func() time.Time { return n.wall.read(time.Now()) }))
	p.cancel = cancel
	w.mu.Lock()
	w.live++
	w.mu.Unlock()
	run := p.hotseat
	if n.Elector != Hotseat {
		run = p.peer
	}
	w.wg.Go(func() {
		err := run(ctx)
		cancel()
		p.outbox.Wait()
		w.check.returned(p, err)
		select {
		case <-p.killed: // that has been told
		default:
			p.ends()
		}
		w.mu.Lock()
		w.live--
		w.mu.Unlock()
		w.rouse()
	})
}

// crash ends a process without a word: nothing of it reaches anything any more.
func (w *world) crash(n *node) {
	p := n.process
	if p == nil {
		return
	}
	n.process, p.dead = nil, true
	p.ends()
	w.hit(Crash)
	w.check.crashed(p)
	close(p.killed)
	p.cancel()
}

// stop asks a process to stop; it is replaced once it was to be back.
func (w *world) stop(n *node, drain time.Duration) {
	if p := n.process; p != nil {
		n.process, p.drain = nil, drain
		if !w.closing {
			w.hit(Stop)
		}
		p.cancel()
	}
}

// draw is the process's share of the seed: a function of the instant, so that
// which of its goroutines asks first does not matter.
func (p *process) draw(d time.Duration) time.Duration {
	h := fnv.New64a()
	fmt.Fprint(h, p.world.plan.Seed, p.node.index, p.number, int64(p.world.now()), int64(d))
	return time.Duration(h.Sum64() % uint64(d))
}

// hotseat is a candidate with package singleton.
func (p *process) hotseat(ctx context.Context) error {
	t := p.world.plan.timing(p.node.Node)
	api, err := p.client()
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	var shared *singleton.SharedWatch
	if p.world.plan.Shared {
		shared = singleton.NewSharedWatch(api, namespace, log)
	}
	var evidence singleton.Evidence
	if p.world.plan.Evidence {
		evidence = witness{p}
	}
	elector, err := singleton.New(api, singleton.Config{
		Evidence: evidence,
		Name:     leaseName, Namespace: namespace, Timing: t,
		Replica: singleton.ReplicaConfig{
			Identity: p.name, SharedWatch: shared, ProgressWithin: p.world.plan.progressWithin(p.node.Node),
		},
		Guards: []fencing.Guard{announcing{process: p}}, Fencing: singleton.FencingConfig{MaxRaise: 1 << 40},
		Hooks: singleton.Hooks{
			OnAcquire: func(context.Context, *singleton.Term) { p.hook() },
			OnLose:    func(*singleton.Term, error) { p.hook() },
			OnHolder:  func(singleton.Holder) { p.hook() },
		},
		Logger: log,
	})
	if err != nil {
		return err
	}
	p.world.mu.Lock()
	p.elector = elector
	p.validFor = func() time.Duration { return elector.Status().ValidFor }
	p.world.mu.Unlock()
	return elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
		p.work(&job{process: p, ctx: ctx, valid: term.Valid, token: term.Token, progress: term.Progress, began: time.Now()})
		return nil
	})
}

// client of the API server: straight to the bus, or through client-go.
func (p *process) client() (coordclient.LeasesGetter, error) {
	if p.world.plan.REST {
		return wire{process: p}.client()
	}
	return client{process: p}, nil
}

// hook blocks while a fault says so.
func (p *process) hook() {
	p.world.mu.Lock()
	until := p.node.hooksUntil
	if time.Until(until) > 0 {
		p.world.check.felt[Hooks]++
	}
	p.world.mu.Unlock()
	p.pause(time.Until(until))
}

// pause waits, unless the process is killed.
func (p *process) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.killed:
	}
}

// announcing is the guard as a process reaches it.
type announcing struct {
	fencing.Guard
	process *process
}

// Announce is part of [fencing.Guard].
func (a announcing) Announce(ctx context.Context, t fencing.Token) error {
	_, err := a.process.call(ctx, &message{verb: verbAnnounce, toGuard: toGuard{token: t}})
	return err
}
