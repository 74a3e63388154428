package singletontest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/singleton"
)

// Replica is one replica of the service that a [Storm] tests.
type Replica struct {
	Name             string // for singleton.ReplicaConfig.Identity
	Namespace, Lease string
	Client           coordclient.CoordinationV1Interface // for singleton.New

	storm *storm
}

// Work wraps the service's work, so that the storm sees when it runs.
func (r *Replica) Work(work singleton.Work) singleton.Work {
	return func(ctx context.Context, term *singleton.Term) error {
		call := r.storm.enter(r.Name)
		defer r.storm.leave(call)
		err := work(ctx, term)
		if ctx.Err() == nil {
			r.storm.wrongly("work of %s returned although its term went on (%v)", r.Name, err)
		}
		return err
	}
}

// Storm plays ten scripts on a service with two replicas: a handover, a rolling update, a crash, a
// partition, a short and a long outage of the API server, the Lease deleted, the Lease taken by a
// stranger, lost answers, and a slow server. In each of them it fails the test if one of these
// happens:
//
//   - two replicas are at work at the same time;
//   - work returns although its term goes on;
//   - nobody is at work two lease durations after the fault ended;
//   - the replica that was hit cannot become active again.
//
// If a replica is still running an hour (of virtual time) after its context ended, Storm panics,
// with a log of what happened, because nothing else can end a test whose work does not return.
//
// start runs one replica until ctx ends, as the service's main function does, and returns once all
// of the replica has ended. It makes its elector with [singleton.New] from r.Client, with a Config
// whose Name is r.Lease, whose Namespace is r.Namespace and whose Replica.Identity is r.Name. start
// passes r.Work(work), and not work itself, to Run. If start returns before ctx ends, with an error
// or without, Storm calls it again two seconds later, as a kubelet restarts a container.
//
//	singletontest.Storm(t, func(ctx context.Context, r *singletontest.Replica) error {
//		elector, err := singleton.New(r.Client, singleton.Config{
//			Name: r.Lease, Namespace: r.Namespace,
//			Replica: singleton.ReplicaConfig{Identity: r.Name},
//		})
//		if err != nil {
//			return err
//		}
//		return elector.Run(ctx, r.Work(work))
//	})
//
// Each script runs in a bubble of [testing/synctest]. Minutes take no time there. start must not
// use the network or another process.
//
// To test the service with a guard, make one guard before Storm, for example with
// fencing.NewMemory. All replicas share it, as they share the resource. Give it to Config.Guards.
// Each script has a new API server, whose epochs begin below those of the script before. So let
// Config.Fencing.Floor return the epoch of the guard's Mark. The guide has an example, in
// internal/docs/guide/testing.md.
func Storm(t *testing.T, start func(ctx context.Context, r *Replica) error) {
	t.Helper()
	for _, s := range scripts() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := play(s, start); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// script is a fault and its end. play returns which replica was hit, if one was.
type script struct {
	name string
	play func(s *storm) (hit string, err error)
}

// play plays one script, and returns what was wrong. It must run in a bubble.
func play(script script, start func(context.Context, *Replica) error) error {
	s := newStorm(start)
	defer s.close()
	s.start("a")
	if err := s.awaitWithin(warm); err != nil {
		return s.wrong(fmt.Errorf("with one replica and no fault at all: %w", err))
	}
	if l := s.cluster.Lease(); l != nil && l.Spec.LeaseDurationSeconds != nil {
		s.leaseDuration = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	s.start("b")
	sleep(warm)
	hit, err := script.play(s)
	if err == nil {
		err = s.awaitActive()
	}
	if err == nil && hit != "" {
		err = s.rejoin(hit)
	}
	return s.wrong(err)
}

// rejoin checks that a replica can become active again, once the others have gone.
func (s *storm) rejoin(name string) error {
	for other := range s.replicas {
		if other != name {
			s.stop(other)
		}
	}
	if err := s.awaitWithin(warm); err != nil {
		return fmt.Errorf("%s, which was hit, did not become active again: %w", name, err)
	}
	return nil
}

// wrong joins err with the findings, and tells the story.
func (s *storm) wrong(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := errors.Join(append(s.findings, err)...)
	if all == nil {
		return nil
	}
	return fmt.Errorf("%w\nwhat happened:\n%s", all, strings.Join(s.story, "\n"))
}

// sleep lets virtual time pass, and lets everything that is due happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
