package singletontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// storm is a cluster with the replicas of a service. Its script owns replicas and leaseDuration.
type storm struct {
	cluster       *Cluster
	run           func(context.Context, *Replica) error
	leaseDuration time.Duration
	replicas      map[string]*process

	mu       sync.Mutex // of what the replicas report
	began    time.Time
	working  map[string]int
	overlaps []error
	story    []string
}

// process is one replica that runs.
type process struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newStorm(run func(context.Context, *Replica) error) *storm {
	return &storm{
		cluster: New(Options{}), run: run, leaseDuration: 15 * time.Second,
		replicas: map[string]*process{},
		began:    time.Now(), working: map[string]int{},
	}
}

// close ends everything.
func (s *storm) close() {
	for _, name := range slices.Sorted(maps.Keys(s.replicas)) {
		s.cluster.Link(name).Heal()
		s.stop(name)
	}
	s.cluster.Close()
}

// start starts a replica, and restarts it when it ends by itself.
func (s *storm) start(name string) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, done: make(chan struct{})}
	s.replicas[name] = p
	s.tell("%s starts", name)
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			err := s.run(ctx, &Replica{
				Name: name, Namespace: s.cluster.o.Namespace, Lease: s.cluster.o.Lease,
				Client: s.cluster.Client(name), storm: s,
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

// stop stops a replica gracefully.
func (s *storm) stop(name string) {
	s.tell("%s is stopped", name)
	p := s.replicas[name]
	delete(s.replicas, name)
	p.cancel()
	<-p.done
	s.tell("%s has ended", name)
}

// crash ends a replica that reaches nobody any more.
func (s *storm) crash(name string) {
	s.tell("%s crashes", name)
	s.cluster.Link(name).Cut()
	s.stop(name)
	s.cluster.Link(name).Heal()
}

func (s *storm) enter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("%s: work begins", name)
	if len(s.working) > 0 {
		others := strings.Join(slices.Sorted(maps.Keys(s.working)), ", ")
		s.overlaps = append(s.overlaps,
			fmt.Errorf("%s began work while the work of %s had not returned", name, others))
	}
	s.working[name]++
}

func (s *storm) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("%s: work has returned", name)
	if s.working[name]--; s.working[name] == 0 {
		delete(s.working, name)
	}
}

// active is a replica at work; empty if there is none.
func (s *storm) active() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.working {
		return name
	}
	return ""
}

var errNobody = errors.New("nobody is at work")

// awaitActive waits until a replica is at work, and still is a lease duration later.
func (s *storm) awaitActive() error {
	until := time.Now().Add(2 * s.leaseDuration)
	for ; time.Now().Before(until); sleep(100 * time.Millisecond) {
		if s.active() != "" {
			sleep(s.leaseDuration)
			if s.active() != "" {
				return nil
			}
		}
	}
	return fmt.Errorf("%w, two lease durations (%v) later", errNobody, 2*s.leaseDuration)
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
