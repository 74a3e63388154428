package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// play is the story. It returns when it is over, or at the first thing that did
// not happen.
func (s *story) play(ctx context.Context) error {
	if err := s.awaitViewer(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{
		s.start, s.handOver, s.crash, s.freeze, s.deleteLease,
	} {
		if err := act(ctx); err != nil {
			return err
		}
		if err := pause(ctx, s.settle); err != nil {
			return err
		}
	}
	return nil
}

func names() []string { return []string{"a", "b", "c"} }

func (s *story) start(ctx context.Context) error {
	s.announce("Act 1/5, start: three replicas. Look: one gets active, two stand by.")
	from := s.journal.next()
	for _, name := range names() {
		if err := s.spawn(name); err != nil {
			return err
		}
	}
	_, err := s.newTerm(ctx, from)
	return err
}

func (s *story) handOver(ctx context.Context) error {
	active, err := s.active(ctx)
	if err != nil {
		return err
	}
	s.announce("Act 2/5, handover: SIGTERM to %s, the active. Look: the next one at once.", active.name)
	from := s.strike(event{Fault: faultHandover, Replica: active.name, PID: active.PID()})
	if err := active.Terminate(); err != nil {
		return err
	}
	return s.replace(ctx, active, from)
}

func (s *story) crash(ctx context.Context) error {
	active, err := s.active(ctx)
	if err != nil {
		return err
	}
	s.announce("Act 3/5, crash: kill -9 to %s. Look: nobody until the lease duration is over.", active.name)
	from := s.strike(event{Fault: faultCrash, Replica: active.name, PID: active.PID()})
	if err := active.Signal(os.Kill); err != nil {
		return err
	}
	return s.replace(ctx, active, from)
}

// replace waits for the next term and starts the replica anew, as a Deployment
// would.
func (s *story) replace(ctx context.Context, gone *process, from int) error {
	if _, err := s.newTerm(ctx, from); err != nil {
		return err
	}
	select {
	case <-gone.Exited():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := pause(ctx, s.settle/2); err != nil {
		return err
	}
	return s.spawn(gone.name)
}

func (s *story) freeze(ctx context.Context) error {
	active, err := s.active(ctx)
	if err != nil {
		return err
	}
	s.announce("Act 4/5, freeze: SIGSTOP to %s, mid-write. Look: its validity runs out.", active.name)
	from, err := s.freezeMidWrite(ctx, active)
	if err != nil {
		return err
	}
	if _, err := s.newTerm(ctx, from); err != nil {
		return err
	}
	if err := pause(ctx, s.settle); err != nil {
		return err
	}
	s.announce("Act 4/5, thaw: SIGCONT to %s. Look: its old write comes out, REFUSED.", active.name)
	from = s.journal.next()
	s.journal.add(event{Kind: kindThaw, Replica: active.name, PID: active.PID()})
	if err := active.Thaw(); err != nil {
		return err
	}
	// Whether the write was refused is for the audit to judge.
	if _, err := s.await(ctx, from, "the old write of "+active.name, func(e event) bool {
		return e.PID == active.PID() && (e.Kind == kindRefused || e.Kind == kindWritten || e.Kind == kindUnanswered)
	}); err != nil {
		return err
	}
	_, err = s.await(ctx, from, "the end of the work of "+active.name, func(e event) bool {
		return e.PID == active.PID() && e.Kind == kindEnded
	})
	return err
}

// freezeMidWrite freezes p between its check and its write: after it said which
// record it decided to write, and before the ledger has it. Aiming from outside
// may miss; then p goes on, a moment later, and the next record is tried.
func (s *story) freezeMidWrite(ctx context.Context, p *process) (from int, err error) {
	for range 20 {
		from = s.journal.next()
		decided, err := s.await(ctx, from, "the next record of "+p.name, func(e event) bool {
			return e.Kind == kindDecided && e.PID == p.PID()
		})
		if err != nil {
			return 0, err
		}
		at := now()
		if err := p.Freeze(); err != nil {
			return 0, err
		}
		// What it sent before it froze has arrived after this.
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
		sent, err := s.recorded(record{Replica: p.name, PID: p.PID(), N: decided.N})
		if err != nil {
			return 0, err
		}
		if !sent {
			s.strike(event{At: at, Fault: faultFreeze, Replica: p.name, PID: p.PID()})
			return from, nil
		}
		if err := p.Thaw(); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("could not freeze the active between its check and its write: this machine is too busy")
}

func (s *story) recorded(r record) (bool, error) {
	entries, err := readLedgerFile(s.ledgerPath)
	for _, e := range entries {
		if e.record == r {
			return true, err
		}
	}
	return false, err
}

func (s *story) deleteLease(ctx context.Context) error {
	active, err := s.active(ctx)
	if err != nil {
		return err
	}
	s.announce("Act 5/5, deletion: the Lease is deleted. Look: new term, greater token.")
	from := s.strike(event{Fault: faultDeletion, Replica: active.name, PID: active.PID()})
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	if err := s.leases.Delete(ctx, s.template.Lease, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting the Lease: %w", err)
	}
	_, err = s.newTerm(ctx, from)
	return err
}

func (s *story) announce(format string, args ...any) {
	s.journal.add(event{Kind: kindAct, Text: fmt.Sprintf(format, args...)})
}

// strike notes a fault, before it happens unless it has its time.
func (s *story) strike(e event) (from int) {
	from = s.journal.next()
	e.Kind = kindFault
	s.journal.add(e)
	return from
}

// active is the replica whose work goes on, or the next whose work starts.
func (s *story) active(ctx context.Context) (*process, error) {
	events, _ := s.journal.since(0)
	var last event
	for _, e := range events {
		switch {
		case e.Kind == kindAcquired:
			last = e
		case (e.Kind == kindEnded || e.Kind == kindExited) && e.PID == last.PID:
			last = event{}
		}
	}
	if last.PID == 0 {
		var err error
		if last, err = s.newTerm(ctx, len(events)); err != nil {
			return nil, err
		}
	}
	return s.replicas[last.Replica], nil
}

func (s *story) newTerm(ctx context.Context, from int) (event, error) {
	return s.await(ctx, from, "a new active", func(e event) bool { return e.Kind == kindAcquired })
}

func (s *story) await(ctx context.Context, from int, what string, match func(event) bool) (event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience(), fmt.Errorf("not within %v", s.patience()))
	defer cancel()
	return s.journal.wait(ctx, from, what, match)
}

// patience is beyond everything the audit tolerates.
func (s *story) patience() time.Duration { return 2*s.timing.LeaseDuration + 10*time.Second }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
