package main

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// Three processes, each a candidate for every one of many Leases. The first one
// takes all of them; the other two stand by.

// scaleRun is how much of it.
type scaleRun struct {
	leases, handovers int
	window            time.Duration // in which nothing happens
	timing            timing
}

// scaled is what was seen.
type scaled struct {
	active, standby perLease // the first process, and the mean of the others
	kept            bool     // no Lease changed hands but for a handover
	times           spread   // of handovers while all go on
}

// perLease is what one Lease costs a process; connections are the process'.
type perLease struct {
	memory, resident float64 // bytes
	goroutines       float64
	cpu              float64 // cores of the process
	requests         load    // of the process, per second
	connections      float64
	watches          float64 // opened since the process began
}

// crowds are the processes of a run.
type crowds struct {
	t       *testing.T
	run     scaleRun
	e       elector
	members []*process
	base    []use
	started map[string]event // the last start of a Lease's work
	starts  int
}

func (r scaleRun) measure(t *testing.T, s *server, e elector) scaled {
	t.Helper()
	for i := range r.leases {
		s.createLease(t, crowdLease(e.name, i))
	}
	c := &crowds{t: t, run: r, e: e, started: map[string]event{}}
	for i := range 3 {
		c.join(s, fmt.Sprintf("%s-%d", e.name, i))
		if i == 0 {
			c.awaitStarts(r.leases)
		}
	}
	defer c.end()
	time.Sleep(r.timing.LeaseDuration) // all have joined
	before := c.use()
	began := time.Now()
	time.Sleep(r.window)
	ended := time.Now()
	after := c.use()
	seen := s.requests(t)
	var all []perLease
	for i, m := range c.members {
		by := seen.where(func(q request) bool { return q.user == m.name })
		one := c.perLease(i, before[i], after[i], by.within(began, ended).load(ended.Sub(began)))
		one.watches = float64(by.count(request.watch))
		all = append(all, one)
	}
	out := scaled{active: all[0], standby: all[1].mean(all[2]), kept: c.starts == r.leases}
	out.times = c.handOver()
	return out
}

func (c *crowds) join(s *server, name string) {
	c.t.Helper()
	config := s.serviceAccount(c.t, name)
	p := startCrowd(c.t, crowdSpec{
		Elector: c.e.name, Name: name, Host: config.Host, Token: config.BearerToken, CA: config.CAData,
		Leases: c.run.leases, Timing: c.run.timing,
	})
	c.members = append(c.members, p)
	c.base = append(c.base, p.must("used").Use)
}

// end ends the processes: what follows is measured without them.
func (c *crowds) end() {
	for _, m := range c.members {
		m.kill()
	}
}

// note takes an event in.
func (c *crowds) note(e event) {
	if e.Kind == "started" {
		c.started[e.Lease] = e
		c.starts++
	}
}

// drain takes in what processes have said so far.
func (c *crowds) drain() {
	for _, m := range c.members {
		for len(m.events) > 0 {
			c.note(<-m.events)
		}
	}
}

// awaitStarts waits until work has started that often.
func (c *crowds) awaitStarts(n int) {
	c.t.Helper()
	const patience = 3 * time.Minute
	for deadline := time.Now().Add(patience); c.starts < n; time.Sleep(10 * time.Millisecond) {
		if c.drain(); time.Now().After(deadline) {
			c.t.Fatalf("%s: %d of %d terms began within %v", c.e.name, c.starts, n, patience)
		}
	}
}

// use asks each process what it uses.
func (c *crowds) use() (out []use) {
	c.t.Helper()
	c.drain()
	for _, m := range c.members {
		m.say("use")
		for {
			e := m.must("")
			if c.note(e); e.Kind == "used" {
				out = append(out, e.Use)
				break
			}
		}
	}
	return out
}

func (c *crowds) perLease(i int, before, after use, requests load) perLease {
	n := float64(c.run.leases)
	return perLease{
		memory:      float64(after.Memory-c.base[i].Memory) / n,
		resident:    float64(after.Resident-c.base[i].Resident) / n,
		goroutines:  float64(after.Goroutines-c.base[i].Goroutines) / n,
		cpu:         (after.CPU - before.CPU).Seconds() / c.run.window.Seconds(),
		requests:    requests,
		connections: float64(after.Connections),
	}
}

func (p perLease) mean(q perLease) perLease {
	half := func(a, b float64) float64 { return (a + b) / 2 }
	return perLease{
		memory: half(p.memory, q.memory), resident: half(p.resident, q.resident), goroutines: half(p.goroutines, q.goroutines),
		cpu: half(p.cpu, q.cpu), connections: half(p.connections, q.connections), watches: half(p.watches, q.watches),
		requests: load{
			writes: half(p.requests.writes, q.requests.writes), reads: half(p.requests.reads, q.requests.reads),
			watches: half(p.requests.watches, q.requests.watches),
		},
	}
}

// handOver has the first process give up one Lease after another.
func (c *crowds) handOver() spread {
	c.t.Helper()
	const apart = 50 * time.Millisecond
	c.drain()
	stopped := map[string]time.Time{}
	before := c.starts
	for i := range c.run.handovers {
		lease := crowdLease(c.e.name, i)
		c.members[0].say(lease)
		stopped[lease] = c.stopping(lease)
		time.Sleep(apart)
	}
	c.awaitStarts(before + c.run.handovers)
	var times []time.Duration
	for lease, at := range stopped {
		times = append(times, c.started[lease].At.Sub(at))
	}
	return newSpread(times)
}

func (c *crowds) stopping(lease string) time.Time {
	c.t.Helper()
	for {
		e := c.members[0].must("")
		if c.note(e); e.Kind == "stopping" && e.Lease == lease {
			return e.At
		}
	}
}

func realScaleTable(t *testing.T, out io.Writer) {
	t.Helper()
	run := scaleRun{leases: 1000, handovers: 200, window: 30 * time.Second, timing: defaults()}
	fmt.Fprintf(out, "\n## Many Leases on the real API server: %d Leases, three processes, %s\n\n", run.leases, run.timing)
	fmt.Fprintf(out, "One process leads everywhere, two stand by: the standby columns are per process (connections, requests/s, CPU in cores) and per Lease (the rest, over the same process with its client and no elector). Then %d handovers while all goes on.\n\n", run.handovers)
	fmt.Fprintln(out, "| | standby: kB per Lease | goroutines per Lease | resident kB per Lease | watches | connections | requests/s | CPU | active: connections | requests/s | CPU | handover p50 | p99 |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	all := map[string]scaled{}
	for _, e := range []elector{ours(), oursSharing(), peer()} {
		got := run.measure(t, startServer(t), e)
		a, b := got.active, got.standby
		fmt.Fprintf(out, "| %s | %.1f | %.2f | %.1f | %.0f | %.0f | %.1f | %.2f | %.0f | %.1f | %.2f | %s | %s |\n", e.name,
			b.memory/1000, b.goroutines, b.resident/1000, b.watches, b.connections, b.requests.all(), b.cpu,
			a.connections, a.requests.all(), a.cpu, seconds(got.times.quantile(.5)), seconds(got.times.quantile(.99)))
		all[e.name] = got
	}
	our, shared, theirs := all[ours().name], all[oursSharing().name], all[peer().name]
	for name, got := range all {
		if !got.kept {
			fmt.Fprintf(out, "\n%s: Leases changed hands while nothing happened: this machine is too slow for it.\n", name)
		}
	}
	fmt.Fprintln(out, "\n| | memory | requests of a standby's process | handover p50 | p99 |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	versus := func(name string, a, b scaled) {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", name, ratio(a.standby.memory, b.standby.memory), ratio(a.standby.requests.all(), b.standby.requests.all()),
			ratio(a.times.quantile(.5), b.times.quantile(.5)), ratio(a.times.quantile(.99), b.times.quantile(.99)))
	}
	versus("scale: a watch each / shared", our, shared)
	versus("scale: client-go / shared", theirs, shared)
	bar(out, "with a shared watch at most 20 kB and 3 goroutines per standby Lease", shared.standby.memory <= 20_000 && shared.standby.goroutines <= 3)
	bar(out, "with a shared watch one of them per process", shared.standby.watches == 1 && shared.active.watches == 1)
}
