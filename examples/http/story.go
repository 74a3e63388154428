//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const (
	namespace = "shop"
	leaseName = "counter"
)

// story is the stage: an API server, the store, and the replicas.
type story struct {
	out      io.Writer
	cluster  *singletontest.Cluster
	api, url string
	store    *store
	replicas map[string]*proc.Process
}

// tell plays the story and returns what the audit found wrong. It leaves nothing running.
func tell(ctx context.Context, out io.Writer) error {
	s := &story{out: out, cluster: singletontest.New(singletontest.Options{Namespace: namespace, Lease: leaseName}), replicas: map[string]*proc.Process{}}
	defer s.cluster.Close()
	var err error
	if s.api, err = s.cluster.Listen(); err != nil {
		return err
	}
	if s.store, err = newStore(fencing.Scope(namespace, leaseName)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	server, served := &http.Server{Handler: s.store, ReadHeaderTimeout: 5 * time.Second}, make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	defer func() { _ = server.Close(); <-served }()
	err = s.acts(ctx)
	var stopping sync.WaitGroup
	for _, p := range s.replicas {
		stopping.Go(func() { p.Stop(5 * time.Second) })
	}
	stopping.Wait()
	return errors.Join(err, s.verdict())
}

func (s *story) acts(ctx context.Context) error {
	s.say("Act 1: three replicas; one of them counts.")
	for _, name := range []string{"a", "b", "c"} {
		if err := s.start(name); err != nil {
			return err
		}
	}
	active, err := s.successor(ctx, "")
	if err != nil {
		return err
	}
	s.say("Act 2: kill -9 to %s. Another one goes on counting after the lease duration.", active)
	s.replicas[active].Kill()
	if err := s.start(active); err != nil {
		return err
	}
	if active, err = s.successor(ctx, active); err != nil {
		return err
	}
	return s.freeze(ctx, active)
}

// freeze stops the active in the middle of a write, until another one has taken over, and lets it finish that write.
// Once in a while it is not in the middle of one, but between two; then the next one is frozen.
func (s *story) freeze(ctx context.Context, active string) error {
	for range 10 {
		s.say("Act 3: SIGSTOP to %s, until another one counts; then SIGCONT. Its late write must be REFUSED.", active)
		_, before := s.store.state()
		frozen := s.replicas[active]
		if err := frozen.Freeze(); err != nil {
			return err
		}
		next, err := s.successor(ctx, active)
		if err := errors.Join(err, frozen.Thaw()); err != nil {
			return err
		}
		if s.await(ctx, 3*time.Second, func() bool { _, refused := s.store.state(); return refused > before }) == nil {
			return nil
		}
		active = next
	}
	return errors.New("the frozen replica never wrote late")
}

func (s *story) start(name string) error {
	p, err := start(replicaConfig{Name: name, API: s.api, Store: s.url}, s.out)
	if err == nil {
		s.replicas[name] = p
	}
	return err
}

// patience is far above a lease's duration, for slow machines.
const patience = time.Minute

// writes of a new active, until it is believed.
const writes = 5

// successor waits until another replica than the one named writes under a newer token than all before, and returns its
// name.
func (s *story) successor(ctx context.Context, than string) (name string, err error) {
	history, _ := s.store.state()
	var before fencing.Token
	if len(history) > 0 {
		before = history[len(history)-1].token
	}
	err = s.await(ctx, patience, func() bool {
		history, _ := s.store.state()
		holder := s.cluster.Lease().Spec.HolderIdentity
		if len(history) < writes || holder == nil {
			return false
		}
		name, _, _ = strings.Cut(*holder, "_")
		since := history[len(history)-writes].token
		return name != "" && name != than && since.Epoch > before.Epoch
	})
	return name, err
}

func (s *story) await(ctx context.Context, limit time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nothing happened for %v", limit))
	defer cancel()
	for !done() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *story) verdict() error {
	history, refused := s.store.state()
	terms := map[fencing.Token]int{}
	for _, c := range history {
		terms[c.token]++
	}
	if err := audit(history); err != nil {
		return err
	}
	s.say("The numbers are 1 to %d, written in %d terms; late writes refused: %d, accepted: 0.", len(history), len(terms), refused)
	return nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }
