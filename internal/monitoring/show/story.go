package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/hotseat-go/hotseat/lease"
)

// scene is something that happens to the replicas, and which alerts have to fire meanwhile: these,
// and no others.
type scene struct {
	name, what string
	fires      []string // in order
	play       func(ctx context.Context, s *stage) error
}

// outcome of a scene.
type outcome struct {
	scene
	from, to time.Time
	fired    []string
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func scenes() []scene {
	return []scene{
		{"quiet", "one active and two standbys for 20 s", nil, func(ctx context.Context, _ *stage) error {
			return pause(ctx, 20*time.Second)
		}},
		{"rollout", "each replica is replaced, the new one first", nil, rollout},
		{"crash", "the active is killed, and started anew 5 s later", nil, crash},
		{"API outage", "no replica reaches the API server for 20 s",
			[]string{"HotseatNoneActive", "HotseatRenewalsNearDeadline"}, apiOutage},
		{"two active", "a replica on another API server, under the same names, for 12 s",
			[]string{"HotseatTwoActive"}, twoActive},
		{"stale write", "a write with a token of an earlier term",
			[]string{"HotseatStaleWritesRefused"}, staleWrite},
		{"guard down", "the guard answers 503 for 65 s", []string{"HotseatGuardFailing"}, guardDown},
		{"stuck drain", "the active resigns, and its work returns 18 s later",
			[]string{"HotseatDrainStuck"}, stuckDrain},
		{"overrun", "the active is cut off, and its work returns 10 s later",
			[]string{"HotseatOverrun", "HotseatRenewalsNearDeadline"}, overrun},
		{"flapping", "the active resigns eight times", []string{"HotseatFlapping"}, flapping},
		{"no standby", "the standbys are ended for 70 s", []string{"HotseatStandbysTooFew"}, noStandby},
		{"Lease missing", "the Lease is deleted, and nobody may create it, for 20 s",
			[]string{"HotseatLeaseMissing", "HotseatNoneActive"}, leaseMissing},
		{"no replica", "all replicas are ended for 45 s", []string{"HotseatNoMetrics"}, noReplica},
	}
}

func rollout(ctx context.Context, s *stage) error {
	var old []*replica
	for _, r := range s.replicas {
		old = append(old, r)
	}
	for _, r := range old {
		if err := s.startHere(ctx); err != nil {
			return err
		}
		if err := s.end(r, false); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

func crash(ctx context.Context, s *stage) error {
	r, err := s.active()
	if err != nil {
		return err
	}
	if err := errors.Join(s.end(r, true), pause(ctx, 5*time.Second)); err != nil {
		return err
	}
	return s.startHere(ctx)
}

func apiOutage(ctx context.Context, s *stage) error {
	for pod := range s.replicas {
		s.cluster.Link(pod).Cut()
	}
	defer func() {
		for pod := range s.replicas {
			s.cluster.Link(pod).Heal()
		}
	}()
	return pause(ctx, 20*time.Second)
}

func twoActive(ctx context.Context, s *stage) error {
	elsewhere, err := newCluster()
	if err != nil {
		return err
	}
	defer elsewhere.Close()
	server := httptest.NewServer(elsewhere)
	defer server.Close()
	r, err := s.start(ctx, server.URL, "")
	if err != nil {
		return err
	}
	return errors.Join(pause(ctx, 12*time.Second), s.end(r, false))
}

func staleWrite(ctx context.Context, s *stage) error {
	token, ok := lease.NewRecord(s.cluster.Lease(namespace, leaseName)).Token()
	if !ok {
		return errors.New("the Lease has no token")
	}
	if err := s.guard.Check(ctx, token); err != nil {
		return err
	}
	token.Epoch--
	if err := s.guard.Check(ctx, token); err == nil {
		return fmt.Errorf("the guard admitted %v", token)
	}
	return pause(ctx, 5*time.Second)
}

func guardDown(ctx context.Context, s *stage) error {
	s.guard.down.Store(true)
	defer s.guard.down.Store(false)
	return pause(ctx, 65*time.Second)
}

func stuckDrain(ctx context.Context, s *stage) error {
	return s.stuck(ctx, func(r *replica) error {
		return errors.Join(r.ask(ctx, "/resign"), pause(ctx, 18*time.Second))
	})
}

func overrun(ctx context.Context, s *stage) error {
	return s.stuck(ctx, func(r *replica) error {
		s.cluster.Link(r.pod).Cut()
		defer s.cluster.Link(r.pod).Heal()
		return pause(ctx, 10*time.Second)
	})
}

// stuck does something while the active's work would ignore its end.
func (s *stage) stuck(ctx context.Context, do func(*replica) error) error {
	r, err := s.active()
	if err != nil {
		return err
	}
	if err := r.ask(ctx, "/stick"); err != nil {
		return err
	}
	return errors.Join(do(r), r.ask(ctx, "/unstick"))
}

func flapping(ctx context.Context, s *stage) error {
	for range 8 {
		r, err := s.active()
		if err != nil {
			return err
		}
		if err := errors.Join(r.ask(ctx, "/resign"), pause(ctx, 3*time.Second)); err != nil {
			return err
		}
	}
	return pause(ctx, 3*time.Second)
}

func noStandby(ctx context.Context, s *stage) error {
	active, err := s.active()
	if err != nil {
		return err
	}
	ended := 0
	for _, r := range s.replicas {
		if r != active {
			err = errors.Join(err, s.end(r, false))
			ended++
		}
	}
	err = errors.Join(err, pause(ctx, 70*time.Second))
	for range ended {
		err = errors.Join(err, s.startHere(ctx))
	}
	return err
}

func leaseMissing(ctx context.Context, s *stage) error {
	for pod := range s.replicas {
		s.cluster.Forbid(pod, "create")
		defer s.cluster.Allow(pod, "create")
	}
	if !s.cluster.DeleteLease(namespace, leaseName) {
		return errors.New("there was no Lease to delete")
	}
	return pause(ctx, 20*time.Second)
}

func noReplica(ctx context.Context, s *stage) error {
	ended := len(s.replicas)
	var err error
	for _, r := range s.replicas {
		err = errors.Join(err, s.end(r, false))
	}
	err = errors.Join(err, pause(ctx, 45*time.Second))
	for range ended {
		err = errors.Join(err, s.startHere(ctx))
	}
	return err
}
