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
	watches         float64  // open at once, the mean of the three
	leases, starts  int      // terms that began before the first handover: one for each Lease, if the elector keeps up
	times           spread   // of handovers while all go on; none where it does not keep up
}

// kept reports whether no Lease changed hands but for a handover.
func (s scaled) kept() bool { return s.starts == s.leases }

func (s scaled) handover(q float64) string {
	if len(s.times) == 0 {
		return "does not keep up"
	}
	return seconds(s.times.quantile(q))
}

// perLease is what one Lease costs a process; connections are the process'.
type perLease struct {
	memory, resident float64 // bytes
	goroutines       float64
	cpu              float64 // cores of the process
	requests         load    // of the process, per second
	connections      float64
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
	none := s.openWatches(t)
	for i := range 3 {
		c.join(s, fmt.Sprintf("%s-%d", e.name, i))
		if i == 0 {
			c.await(func() bool { return c.starts >= r.leases })
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
		all = append(all, c.perLease(i, before[i], after[i], by.within(began, ended).load(ended.Sub(began))))
	}
	out := scaled{active: all[0], standby: all[1].mean(all[2]), leases: r.leases, starts: c.starts}
	out.watches = (s.openWatches(t) - none) / float64(len(c.members))
	if out.kept() {
		out.times = c.handOver()
	}
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

// await takes in what processes say until done holds, and reports whether it
// does within some leases' time.
func (c *crowds) await(done func() bool) bool {
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if c.drain(); time.Now().After(deadline) {
			return done()
		}
	}
	return true
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
		cpu: half(p.cpu, q.cpu), connections: half(p.connections, q.connections),
		requests: load{
			writes: half(p.requests.writes, q.requests.writes), reads: half(p.requests.reads, q.requests.reads),
			watches: half(p.requests.watches, q.requests.watches),
		},
	}
}

// handOver has the first process give up one Lease after another. It returns
// nothing if some of them have no successor.
func (c *crowds) handOver() spread {
	c.t.Helper()
	const apart = 50 * time.Millisecond
	stopped := map[string]time.Time{}
	for i := range c.run.handovers {
		lease := crowdLease(c.e.name, i)
		c.members[0].say(lease)
		stopped[lease] = c.stopping(lease)
		time.Sleep(apart)
	}
	succeeded := func() bool {
		for lease, at := range stopped {
			if !c.started[lease].At.After(at) {
				return false
			}
		}
		return true
	}
	if !c.await(succeeded) {
		return nil
	}
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
	const leases, handovers = 1000, 200
	fmt.Fprintf(out, "\n## Many Leases on the real API server: three processes, %s\n\n", defaults())
	fmt.Fprintf(out, "One process leads everywhere, two stand by: the standby columns are per process (connections, requests/s, CPU in cores) and per Lease (the rest, over the same process with its client and no elector). Then up to %d handovers while all goes on. An elector does not keep up where it loses terms while nothing happens.\n\n", handovers)
	fmt.Fprintln(out, "| | Leases | terms begun | standby: kB per Lease | goroutines per Lease | resident kB per Lease | watches open | connections | requests/s | CPU | active: connections | requests/s | CPU | handover p50 | p99 |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	measure := func(e elector, leases int) scaled {
		run := scaleRun{leases: leases, handovers: min(leases, handovers), window: 30 * time.Second, timing: defaults()}
		got := run.measure(t, startServer(t), e)
		a, b := got.active, got.standby
		fmt.Fprintf(out, "| %s | %d | %d | %.1f | %.2f | %.1f | %.0f | %.0f | %.1f | %.2f | %.0f | %.1f | %.2f | %s | %s |\n", e.name, leases, got.starts,
			b.memory/1000, b.goroutines, b.resident/1000, got.watches, b.connections, b.requests.all(), b.cpu,
			a.connections, a.requests.all(), a.cpu, got.handover(.5), got.handover(.99))
		return got
	}
	few := leases / 10
	fewEach, fewShared := measure(ours(), few), measure(oursSharing(), few)
	measure(ours(), leases/3)
	each, shared, theirs := measure(ours(), leases), measure(oursSharing(), leases), measure(peer(), leases)

	fmt.Fprintln(out, "\n| | memory | requests of a standby's process | handover p50 | p99 |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	versus := func(name string, leases int, a, b scaled) {
		p50, p99 := "-", "-"
		if len(a.times) > 0 && len(b.times) > 0 {
			p50, p99 = ratio(a.times.quantile(.5), b.times.quantile(.5)), ratio(a.times.quantile(.99), b.times.quantile(.99))
		}
		fmt.Fprintf(out, "| scale: %s, %d Leases | %s | %s | %s | %s |\n", name, leases,
			ratio(a.standby.memory, b.standby.memory), ratio(a.standby.requests.all(), b.standby.requests.all()), p50, p99)
	}
	versus("a watch each / shared", few, fewEach, fewShared)
	versus("a watch each / shared", leases, each, shared)
	versus("client-go / shared", leases, theirs, shared)
	bar(out, "with a shared watch no term lost", shared.kept() && fewShared.kept())
	bar(out, "with a shared watch at most 20 kB and 3 goroutines per standby Lease", shared.standby.memory <= 20_000 && shared.standby.goroutines <= 3)
	bar(out, "with a shared watch one of them per process", shared.watches == 1 && fewShared.watches == 1)
}
