package singletontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// storm is a cluster with the replicas of a service. Its script owns replicas and leaseDuration.
type storm struct {
	cluster       *Cluster
	run           func(context.Context, *Replica) error
	leaseDuration time.Duration
	replicas      map[string]*process
	gone          []*process // that crashed
	starts        int

	mu       sync.Mutex // of what the replicas report
	began    time.Time
	working  map[*call]bool
	findings []error
	story    []string
}

// process is one replica that runs.
type process struct {
	link   string // of its client: another one for each start
	cancel context.CancelFunc
	done   chan struct{}
}

func newStorm(run func(context.Context, *Replica) error) *storm {
	return &storm{
		cluster: New(Options{}), run: run, leaseDuration: 15 * time.Second,
		replicas: map[string]*process{},
		began:    time.Now(), working: map[*call]bool{},
	}
}

// close ends everything.
func (s *storm) close() {
	for _, name := range slices.Sorted(maps.Keys(s.replicas)) {
		s.link(name).Heal()
		s.stop(name)
	}
	for _, p := range s.gone {
		s.awaitEnd("a replica that crashed", p)
	}
	s.cluster.Close()
}

func (s *storm) link(name string) *Link { return s.cluster.Link(s.replicas[name].link) }

// start starts a replica, and restarts it when it ends by itself.
func (s *storm) start(name string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.starts++
	link := fmt.Sprintf("%s.%d", name, s.starts)
	p := &process{link: link, cancel: cancel, done: make(chan struct{})}
	s.replicas[name] = p
	s.tell("%s starts", name)
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			err := s.run(ctx, &Replica{
				Name: name, Namespace: s.cluster.o.Namespace, Lease: s.cluster.o.Lease,
				Client: s.cluster.Client(p.link), storm: s,
			})
			if ctx.Err() == nil {
				s.tell("%s ended by itself: %v", name, err)
			}
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
			}
		}
	}()
	sleep(0)
}

// warm is how long a replica may take to start, and patience how long to end.
const warm, patience = 2 * time.Minute, time.Hour

// stop stops a replica gracefully. It panics if that never ends: nothing else can end a bubble in
// which work goes on.
func (s *storm) stop(name string) {
	s.tell("%s is stopped", name)
	p := s.replicas[name]
	delete(s.replicas, name)
	p.cancel()
	s.awaitEnd(name, p)
	s.tell("%s has ended", name)
}

func (s *storm) awaitEnd(name string, p *process) {
	select {
	case <-p.done:
	case <-time.After(patience):
		panic(s.wrong(fmt.Errorf("%s has not ended an hour after its context: does work return?", name)))
	}
}

// crash ends a replica that reaches nobody any more. What its work still does counts no more: of a
// process that crashed there would be nothing.
func (s *storm) crash(name string) {
	s.tell("%s crashes", name)
	s.link(name).Cut()
	s.mu.Lock()
	for c := range s.working {
		if c.name == name {
			delete(s.working, c)
		}
	}
	s.mu.Unlock()
	p := s.replicas[name]
	delete(s.replicas, name)
	p.cancel()
	s.gone = append(s.gone, p)
}

// call is one call of a replica's work.
type call struct{ name string }

func (s *storm) enter(name string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("%s: work begins", name)
	for other := range s.working {
		s.findings = append(s.findings,
			fmt.Errorf("%s began work while the work of %s had not returned", name, other.name))
	}
	c := &call{name}
	s.working[c] = true
	return c
}

func (s *storm) leave(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("%s: work has returned", c.name)
	delete(s.working, c)
}

// wrongly adds a finding.
func (s *storm) wrongly(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = append(s.findings, fmt.Errorf(format, args...))
}

// at is a call that is at work; nil if there is none.
func (s *storm) at() *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.working {
		return c
	}
	return nil
}

// active is the replica at work; empty if there is none.
func (s *storm) active() string {
	if c := s.at(); c != nil {
		return c.name
	}
	return ""
}

// goesOn reports whether a call has not returned.
func (s *storm) goesOn(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working[c]
}

var errNobody = errors.New("nobody is at work")

// awaitActive waits until a replica is at work, and stays so.
func (s *storm) awaitActive() error { return s.awaitWithin(2 * s.leaseDuration) }

func (s *storm) awaitWithin(d time.Duration) error {
	for until := time.Now().Add(d); time.Now().Before(until); sleep(100 * time.Millisecond) {
		if c := s.at(); c != nil {
			sleep(s.leaseDuration)
			if s.goesOn(c) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w after %v, or not for a whole lease duration", errNobody, d)
}

func (s *storm) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(format, args...)
}

// note adds to the story. The caller holds s.mu.
func (s *storm) note(format string, args ...any) {
	at := fmt.Sprintf("%8.3fs  ", time.Since(s.began).Seconds())
	s.story = append(s.story, at+fmt.Sprintf(format, args...))
}
