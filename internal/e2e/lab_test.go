//go:build unix

package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/controlplane"
	"github.com/hotseat-go/hotseat/internal/e2e/trial"
	"github.com/hotseat-go/hotseat/lease"
)

// timing of the replicas: short, so that a trial is.
func timing() lease.Timing {
	return lease.Timing{
		LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 400 * time.Millisecond,
	}.WithDefaults()
}

const (
	// settled is how long nothing is done to the replicas, so that they are all
	// at rest again and the ledger has records to judge.
	settled = time.Second
	// noise is what a busy machine is forgiven, for example one that runs three
	// test suites on two cores. The table says when it was needed.
	noise = 2 * time.Second
	// endurance is for what has to come. The audit judges how long it took, so
	// this is beyond everything a starved machine has needed to start processes.
	endurance = 2 * time.Minute
)

// scenario is one trial: three replicas, and what is done to them.
type scenario struct {
	name string
	play func(*lab)

	short     bool                // part of the short run
	role      func(*rbacv1.Role)  // changes the shipped Role
	spec      func(*trial.Spec)   // changes the replicas
	limits    func(*trial.Limits) // changes what is demanded
	open      func(*lab)          // before the replicas are started
	unguarded bool                // the ledger admits everything
	control   string              // the violation that the audit must find, and no other
}

// lab is where a scenario is played.
type lab struct {
	shop
	t       *testing.T
	config  *rest.Config // of the replicas
	journal *trial.Journal
	ledger  *trial.Ledger
	spec    trial.Spec
	limits  trial.Limits

	replicas map[string]*candidate
	renewed  chan struct{} // the Lease was seen renewed
	done     sync.WaitGroup
}

// candidate is a replica and its wire, which outlives its process.
type candidate struct {
	*trial.Process
	wire *trial.Wire
}

// run plays the scenario and adds its row to the table.
func (s scenario) run(t *testing.T, c *controlplane.Cluster, place int, table *trial.Table) {
	word := "did not finish"
	var v trial.Verdict
	defer func() { table.Add(place, s.name, v, word) }()
	l := s.newLab(t, c)
	if s.open != nil {
		s.open(l)
	}
	for _, name := range []string{"a", "b", "c"} {
		l.start(name, s.spec)
	}
	l.active()
	l.rest(settled)
	s.play(l)
	l.rest(settled)
	v = l.judge()
	word = ""
	if s.control != "" {
		require.NotEmpty(t, v.Violations, "the audit found nothing")
		for _, violation := range v.Violations {
			require.Contains(t, violation, s.control)
		}
		word = "caught, as it must"
		return
	}
	for _, violation := range v.Violations {
		t.Error(violation)
	}
}

func (s scenario) newLab(t *testing.T, c *controlplane.Cluster) *lab {
	tm := timing()
	l := &lab{
		shop: openShop(t, c, s.role), t: t,
		journal:  trial.NewJournal(),
		replicas: map[string]*candidate{},
		renewed:  make(chan struct{}, 1),
		limits: trial.Limits{
			Back:  tm.LeaseDuration + 500*time.Millisecond,
			Stop:  tm.StopBudget(),
			Noise: noise,
		},
	}
	if s.limits != nil {
		s.limits(&l.limits)
	}
	var err error
	l.ledger, err = trial.NewLedger(s.unguarded)
	require.NoError(t, err)
	t.Cleanup(l.close)
	l.config = l.shop.config()
	l.spec = trial.Spec{Namespace: l.namespace, Lease: leaseName, Ledger: l.ledger.URL, Timing: tm, Write: 50 * time.Millisecond}
	l.spec.Login(l.config)
	l.follow()
	return l
}

// close ends what judge has not: a scenario may fail anywhere.
func (l *lab) close() {
	l.stop()
	for _, c := range l.replicas {
		c.wire.Close()
	}
	l.ledger.Close()
	l.done.Wait()
	if l.t.Failed() {
		events, _ := l.journal.Since(0)
		for _, e := range events {
			if e.Kind != trial.Written {
				l.t.Logf("%.3f %-8s %s pid %d token %d: %s", time.Duration(e.At).Seconds(), e.Kind, e.Replica, e.PID, e.Token.Epoch, e.Text)
			}
		}
	}
}

// stop ends all processes, at once and gracefully if they can.
func (l *lab) stop() {
	var stopping sync.WaitGroup
	for _, c := range l.replicas {
		if c.Process != nil {
			stopping.Go(c.Stop)
		}
	}
	stopping.Wait()
}

// judge is the end of a trial.
func (l *lab) judge() trial.Verdict {
	l.journal.Add(trial.Event{Kind: trial.Stopping})
	l.stop()
	events, _ := l.journal.Since(0)
	return trial.Audit(l.ledger.Entries(), events, l.limits)
}

// start starts a replica, on the wire that it had before if there was one.
func (l *lab) start(name string, change func(*trial.Spec)) {
	c := l.replicas[name]
	if c == nil {
		wire, err := trial.NewWire(name, l.Address())
		require.NoError(l.t, err)
		c = &candidate{wire: wire}
		l.replicas[name] = c
	}
	spec := l.spec
	spec.Name, spec.Server = name, c.wire.Address()
	if change != nil {
		change(&spec)
	}
	var err error
	c.Process, err = trial.Start(spec, l.journal)
	require.NoError(l.t, err)
}

// follow notes what is seen of the Lease, while it can be seen.
func (l *lab) follow() {
	seen, err := l.Admin().CoordinationV1().Leases(l.namespace).Watch(l.t.Context(), onlyLease())
	require.NoError(l.t, err)
	l.done.Go(func() {
		defer seen.Stop()
		var last lease.Record
		for event := range seen.ResultChan() {
			record, ok := recordOf(event.Object)
			if !ok || event.Type == watch.Deleted {
				last = lease.Record{}
				continue
			}
			if token, held := last.Token(); held && record.Exists() && record.Holder() == "" {
				l.journal.Add(trial.Event{Kind: trial.Released, Token: token})
			}
			if record.Holder() != "" && record.Holder() == last.Holder() && record.RenewTime().After(last.RenewTime()) {
				select {
				case l.renewed <- struct{}{}:
				default:
				}
			}
			last = record
		}
	})
}

// begin notes the beginning of a fault, and over that of its end. Nobody is a
// fault's victim if it meets all.
func (l *lab) begin(what string, victim *candidate) (from int) {
	from = l.journal.Len()
	e := trial.Event{Kind: trial.Fault, Text: what}
	if victim != nil {
		e.Replica, e.PID = victim.Name, victim.PID
	}
	l.journal.Add(e)
	return from
}

func (l *lab) over() { l.journal.Add(trial.Event{Kind: trial.Over}) }

// strike notes a fault that leaves the others whole: from its beginning on one of
// them has to get active.
func (l *lab) strike(what string, victim *candidate) (from int) {
	from = l.begin(what, victim)
	l.over()
	return from
}

// active is the replica whose work goes on, or the next whose work starts.
func (l *lab) active() *candidate {
	events, _ := l.journal.Since(0)
	var last trial.Event
	for _, e := range events {
		switch {
		case e.Kind == trial.Acquired:
			last = e
		case (e.Kind == trial.Ended || e.Kind == trial.Exited) && e.PID == last.PID:
			last = trial.Event{}
		}
	}
	if last.PID == 0 {
		last = l.newTerm(len(events))
	}
	return l.replicas[last.Replica]
}

// renewal returns right after the next renewal that is seen.
func (l *lab) renewal() {
	l.t.Helper()
	select {
	case <-l.renewed: // an old one
	default:
	}
	select {
	case <-l.renewed:
	case <-time.After(endurance):
		l.t.Fatalf("no renewal within %v", endurance)
	}
}

func (l *lab) newTerm(from int) trial.Event {
	l.t.Helper()
	return l.await(from, "a new term", func(e trial.Event) bool { return e.Kind == trial.Acquired })
}

// of awaits one of several kinds of event of c's process.
func (l *lab) of(c *candidate, from int, kinds ...trial.Kind) trial.Event {
	l.t.Helper()
	return l.await(from, string(kinds[0])+" of "+c.Name, func(e trial.Event) bool {
		return e.PID == c.PID && slices.Contains(kinds, e.Kind)
	})
}

func (l *lab) await(from int, what string, match func(trial.Event) bool) trial.Event {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), endurance)
	defer cancel()
	e, err := l.journal.Wait(ctx, from, what, match)
	require.NoError(l.t, err)
	return e
}

func (*lab) rest(d time.Duration) { time.Sleep(d) }
