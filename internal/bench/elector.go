package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/scenario"
)

// elector is one of the two things compared.
type elector struct {
	name string
	// stand is a candidate until ctx ends and everything of it has returned.
	stand func(ctx context.Context, r replica) error
}

func electorNamed(name string) (elector, error) {
	for _, e := range []elector{peer(), ours()} {
		if e.name == name {
			return e, nil
		}
	}
	return elector{}, fmt.Errorf("no elector is called %q", name)
}

// replica is one candidate for a Lease.
type replica struct {
	config   *rest.Config
	lease    string // its name, in scenario.Namespace
	identity string
	timing   timing
	work     work

	// For client-go only; hotseat releases and runs on always, and its standbys
	// do not poll.
	release bool          // ReleaseOnCancel
	rerun   bool          // run again after a loss
	poll    time.Duration // RetryPeriod instead of timing's if not 0
}

// work is called while the replica leads. leads is what the elector says when
// asked, at no cost: Term.Valid or LeaderElector.IsLeader. token is the term's
// epoch; for client-go the leaseTransitions of the record it won with, which is
// all it has.
type work func(ctx context.Context, leads func() bool, token int64) error

// timing of an elector; the zero value means 15, 10 and 2 s, the defaults of
// both.
type timing struct{ LeaseDuration, RenewDeadline, RetryPeriod time.Duration }

// defaults are those of both, written out.
func defaults() timing { return timing{15 * time.Second, 10 * time.Second, 2 * time.Second} }

func (t timing) String() string {
	return fmt.Sprintf("%g/%g/%g s", t.LeaseDuration.Seconds(), t.RenewDeadline.Seconds(), t.RetryPeriod.Seconds())
}

// play has an elector play a scenario's candidates.
func (e elector) play(rerun bool) scenario.StartFunc {
	return func(ctx context.Context, s *scenario.Stage, c *scenario.Candidate) {
		err := e.stand(ctx, replica{
			config: s.Config(c), lease: scenario.Lease, identity: c.Identity,
			work:    func(ctx context.Context, _ func() bool, token int64) error { return c.Work(ctx, token) },
			release: s.Release, rerun: rerun, poll: c.Retry,
		})
		if err != nil && !errors.Is(err, c.Err) {
			panic(fmt.Sprintf("%s: candidate %s: %v", e.name, c.Name, err))
		}
	}
}
