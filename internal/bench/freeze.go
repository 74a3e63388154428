package main

import (
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/scenario"
)

// frozenTiming is legal for both and keeps the real time it takes short.
func frozenTiming() timing {
	return timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond}
}

// processes is a cluster on loopback and replicas that are processes.
type processes struct {
	*apiserver.Cluster
	t   *testing.T
	e   elector
	url string
}

func newProcesses(t *testing.T, e elector) *processes {
	t.Helper()
	p := &processes{Cluster: apiserver.New(apiserver.Options{}), t: t, e: e}
	t.Cleanup(p.Close)
	var err error
	if p.url, err = p.Listen(); err != nil {
		t.Fatal(err)
	}
	createLease(t, p.Cluster, scenario.Lease)
	return p
}

func createLease(t testing.TB, c *apiserver.Cluster, name string) {
	t.Helper()
	if _, err := c.CreateLease(unheldLease(name)); err != nil {
		t.Fatal(err)
	}
}

func (p *processes) start(name string, poll time.Duration) *process {
	p.t.Helper()
	return startProcess(p.t, replicaSpec{
		Elector: p.e.name, Name: name, URL: p.url, Lease: scenario.Lease,
		Timing: frozenTiming(), Release: true, Poll: poll,
	})
}

// frozen starts a, stops it right after a renewal, and waits until b leads.
func (p *processes) frozen() (a, b *process, grew bool) {
	p.t.Helper()
	a = p.start("a", 0)
	first := a.must("started")
	version := p.Lease(scenario.Namespace, scenario.Lease).ResourceVersion
	if _, ok := p.WaitLease(scenario.Namespace, scenario.Lease, 10*time.Second, func(l *coordv1.Lease) bool {
		return l.ResourceVersion != version
	}); !ok {
		p.t.Fatalf("%s: a has not renewed", p.e.name)
	}
	time.Sleep(50 * time.Millisecond) // the answer arrives
	a.signal(syscall.SIGSTOP)
	b = p.start("b", 0)
	second := b.must("started")
	return a, b, second.Token > first.Token
}

// thaw is what a replica does that was frozen past its lease, until another
// one led, and wakes up.
type thaw struct {
	Leads bool          // the first answer when work asks whether it leads
	Lived time.Duration // how long its work context lived on
	Grew  bool          // the successor's token is greater
}

func freeze(t *testing.T, e elector) thaw {
	t.Helper()
	a, _, grew := newProcesses(t, e).frozen()
	woken := time.Now()
	a.signal(syscall.SIGCONT)
	return thaw{Leads: a.must("woke").Leads, Lived: a.must("ended").At.Sub(woken), Grew: grew}
}

// parting is what a replica does that was frozen past its lease and finds a
// SIGTERM when it wakes up.
type parting struct {
	Cleared bool          // the Lease, which its successor held
	Overlap time.Duration // of the successor and a third replica
}

func freezeAndTerminate(t *testing.T, e elector) parting {
	t.Helper()
	p := newProcesses(t, e)
	a, b, _ := p.frozen()
	c := p.start("c", 10*time.Millisecond) // sees a cleared Lease before b does
	time.Sleep(500 * time.Millisecond)
	cleared := make(chan bool, 1) // by a
	p.OnWrite(func(w apiserver.Write) {
		if before, now := w.Leases(); w.User == "a" && holder(before) == "b" && holder(now) == "" {
			cleared <- true
		}
	})
	// The network is slow for a moment, so that SIGTERM comes before the answer
	// to what a asks first.
	p.Link("a").Inject(apiserver.Fault{Count: 1, DelayBefore: 200 * time.Millisecond})
	a.signal(syscall.SIGTERM)
	a.signal(syscall.SIGCONT)
	a.must("ended")
	var out parting
	started, ok := c.await("started", frozenTiming().LeaseDuration)
	if ok {
		out.Overlap = b.must("ended").At.Sub(started.At)
	}
	select {
	case out.Cleared = <-cleared:
	default:
	}
	return out
}

func (h thaw) tell(question string) string {
	return fmt.Sprintf("%s first says %t; work context lives %s more", question, h.Leads, seconds(h.Lived))
}

func (p parting) tell() string {
	what := "leaves its successor's Lease alone"
	if p.Cleared {
		what = "clears its successor's Lease"
	}
	return what + "; " + overlap(p.Overlap)
}

func freezeRow(theirs, our thaw) string {
	return fmt.Sprintf("| SIGSTOP past the lease, then SIGCONT | %s | %s |", theirs.tell("IsLeader()"), our.tell("Valid()"))
}

func partingRow(theirs, our parting) string {
	return fmt.Sprintf("| SIGSTOP past the lease, SIGTERM, then SIGCONT, ReleaseOnCancel | %s | %s |", theirs.tell(), our.tell())
}

func freezeTable(t *testing.T, out io.Writer) {
	t.Helper()
	fmt.Fprint(out, "\n## Frozen processes: 3/2/0.5 s, real time\n\n")
	fmt.Fprintln(out, "| fault | client-go | hotseat |")
	fmt.Fprintln(out, "|---|---|---|")
	fmt.Fprintln(out, freezeRow(freeze(t, peer()), freeze(t, ours())))
	fmt.Fprintln(out, partingRow(freezeAndTerminate(t, peer()), freezeAndTerminate(t, ours())))
}
