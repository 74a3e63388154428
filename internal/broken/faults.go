package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// fault is one that can be set. Each of its functions may be nil.
type fault struct {
	name   string                              // for its test, never shown
	before func(context.Context, *stand) error // the replicas start
	alter  func(*replica)                      // changes a replica before it starts
	after  func(context.Context, *stand) error // one of the replicas works
}

// faults are the ten, by number.
func faults() []fault {
	return []fault{
		{name: "two applications on one Lease", before: secondApplication},
		{name: "missing right", before: func(_ context.Context, s *stand) error {
			forbid(s, "watch")
			return nil
		}},
		{name: "guard down", after: func(_ context.Context, s *stand) error {
			s.postgres.Kill()
			return nil
		}},
		{name: "slow API server", after: func(_ context.Context, s *stand) error {
			for _, user := range append(names(), operator) {
				s.server.Link(user).Inject(apiserver.Fault{DelayBefore: 3 * time.Second})
			}
			return nil
		}},
		{
			name: "stuck drain", alter: func(r *replica) { r.behaves.deaf = true },
			after: func(_ context.Context, s *stand) error {
				active, err := s.active()
				if err == nil {
					active.elector.Resign()
				}
				return err
			},
		},
		{name: "Lease deleted", after: func(_ context.Context, s *stand) error {
			forbid(s, "create")
			s.server.DeleteLease(namespace, service)
			return nil
		}},
		{name: "clock far off", alter: func(r *replica) { r.behaves.skew = -40 * time.Minute }},
		{name: "standby without update", after: standbyWithoutUpdate},
		{name: "wedged work", alter: func(r *replica) { r.behaves.wedged = true }},
		{name: "poisoned mark", after: func(ctx context.Context, s *stand) error {
			return s.guard.Announce(ctx, fencing.Token{
				Scope: fencing.Scope(namespace, service), Epoch: 1_000_000, Term: fmt.Sprintf("%032x", 7),
			})
		}},
	}
}

func names() (names []string) {
	for i := range 3 {
		names = append(names, fmt.Sprintf("%s-%d", service, i))
	}
	return names
}

func forbid(s *stand, verbs ...string) {
	for _, name := range names() {
		s.server.Forbid(name, verbs...)
	}
}

// secondApplication starts a replica of another service on the same Lease. It is not described.
func secondApplication(ctx context.Context, s *stand) error {
	other := newReplica(s, "mailer-0")
	other.behaves.program = "mailer"
	if err := other.start(s); err != nil {
		return err
	}
	s.hidden = append(s.hidden, other)
	_, err := other.elector.WaitActive(ctx)
	return err
}

// standbyWithoutUpdate takes the rights to write from one standby, and starts it again.
func standbyWithoutUpdate(ctx context.Context, s *stand) error {
	for i, old := range s.replicas {
		if old.elector.IsActive() {
			continue
		}
		s.server.Forbid(old.name, "update", "patch")
		old.stop()
		again := newReplica(s, old.name)
		s.replicas[i] = again
		return again.start(s)
	}
	return fmt.Errorf("no replica stands by: %w", ctx.Err())
}
