package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// status is what the API shows of a node's Pod: the container that runs, and the last one that has
// terminated. Empty: none is shown.
type status struct {
	running, terminated string
	shown               time.Time // from when on
}

// pod is what became of a node's Pod, in order. Under the world's mutex.
type pod struct{ all []status }

// container is by what others recognize a process.
func (p *process) container() string { return fmt.Sprintf("%s#%d", name(p.node.index), p.number) }

// updated is a change of the status. It is shown after a while, as a kubelet does, and now and then
// only after a minute.
func (p *process) updated(s status) {
	w := p.world
	if !w.plan.Evidence {
		return
	}
	late := 100*time.Millisecond + p.luck("shown", s.running+s.terminated, 1600*time.Millisecond)
	if p.luck("late", s.running+s.terminated, 8) == 0 {
		late += p.luck("how late", s.running+s.terminated, time.Minute)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.shown = time.Now().Add(late)
	p.node.pod.all = append(p.node.pod.all, s)
}

// begins is the start of p's container. A new Pod shows nothing of the one before.
func (p *process) begins(renamed bool) {
	p.world.mu.Lock()
	var before string
	if all := p.node.pod.all; len(all) > 0 && !renamed {
		before = all[len(all)-1].terminated
	}
	p.world.mu.Unlock()
	p.updated(status{running: p.container(), terminated: before})
}

// ends is the end of p's container. If another one has begun, it is not shown.
func (p *process) ends() {
	p.world.mu.Lock()
	all := p.node.pod.all
	last := len(all) > 0 && all[len(all)-1].running == p.container()
	p.world.mu.Unlock()
	if last {
		p.updated(status{terminated: p.container()})
	}
}

// look is an answer of the API server: the newest status that it shows, or an older one.
func (p *process) look(n *node, stale bool) (shown status) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	for i, s := range n.pod.all {
		if !s.shown.After(time.Now()) && (!stale || i < len(n.pod.all)-1) {
			shown = s
		}
	}
	return shown
}

// luck is drawn from the seed, for something and now.
func (p *process) luck(what, of string, most time.Duration) time.Duration {
	h := fnv.New64a()
	fmt.Fprint(h, p.world.plan.Seed, what, of, p.name, int64(p.world.now()))
	return time.Duration(h.Sum64() % uint64(most))
}

// lies is luck until the last fault is over. Then nothing is wrong any more.
func (p *process) lies(what, of string, most time.Duration) time.Duration {
	if time.Now().After(p.world.check.settled) {
		return most
	}
	return p.luck(what, of, most)
}

// witness is the evidence that a process has, as package singleton/evidence has it over Pods.
type witness struct{ *process }

var errPods = errors.New("the Pod cannot be read")

// odds of an answer: one in so many is stale, an error, or a hint of something that is none.
const podOdds = 6

func (w witness) node(identity string) *node {
	for _, n := range w.world.nodes {
		if len(identity) > 1 && identity[:1] == name(n.index) {
			return n
		}
	}
	return w.process.node
}

// every has f called until it says that it is done.
func (w witness) every(ctx context.Context, f func() (done bool, err error)) error {
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		timer := time.NewTimer(400 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-w.killed:
			timer.Stop()
			return errPods
		}
	}
}

// Identify is part of [singleton.Evidence].
func (w witness) Identify(ctx context.Context) (string, error) {
	return w.container(), w.every(ctx, func() (bool, error) {
		if w.luck("identify", "", podOdds) == 0 {
			return false, errPods
		}
		return w.look(w.process.node, false).running == w.container(), nil
	})
}

// Await is part of [singleton.Evidence].
func (w witness) Await(ctx context.Context, identity string) error {
	return w.every(ctx, func() (bool, error) {
		switch w.lies("await", identity, 40*podOdds) {
		case 0:
			return false, errPods
		case 1: // another container of the Pod is dead
			return true, nil
		}
		return w.look(w.node(identity), false).terminated == identity, nil
	})
}

// Dead is part of [singleton.Evidence].
func (w witness) Dead(ctx context.Context, identity string) (bool, error) {
	w.pause(w.luck("answer", identity, 50*time.Millisecond))
	if w.lies("dead", identity, podOdds) == 0 {
		return true, errPods
	}
	if w.lies("hangs", identity, 4*podOdds) == 0 {
		w.pause(time.Minute)
	}
	shown := w.look(w.node(identity), w.lies("stale", identity, podOdds) == 0)
	dead := shown.terminated == identity
	if dead && ctx.Err() == nil {
		w.world.mu.Lock()
		w.world.check.felt[ProvenDead]++
		w.world.mu.Unlock()
	}
	return dead, ctx.Err()
}
