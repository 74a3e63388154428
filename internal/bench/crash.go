package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A crash in real time: the active replica's connections are cut, so that
// nothing more of it reaches the server, and it is over. Many Leases go at once,
// since each crash takes a lease to be noticed.

// crashRun is how much of it. Each Lease has one standby and one crash.
type crashRun struct {
	leases int
	timing timing
}

// measure returns the times from each crash until the standby's work runs.
func (c crashRun) measure(t *testing.T, at place, e elector) spread {
	t.Helper()
	times := make([]time.Duration, c.leases)
	var wg sync.WaitGroup
	for i := range c.leases {
		lease := fmt.Sprintf("crash-%s-%d-%d", e.name, c.timing.LeaseDuration/time.Second, i)
		at.createLease(t, lease)
		wg.Go(func() { times[i] = c.crash(at, e, lease) })
	}
	wg.Wait()
	return newSpread(times)
}

func (c crashRun) crash(at place, e elector, lease string) time.Duration {
	join := func(name string) *runner {
		return start(e, replica{config: at.account(lease + "." + name), lease: lease, identity: name, timing: c.timing})
	}
	active := join("a")
	<-active.started
	standby := join("b")
	// Anywhere between two renewals and between two polls.
	time.Sleep(time.Second + rand.N(2*c.timing.RetryPeriod))
	crashed := time.Now()
	active.link.cut()
	active.stop()
	gap := (<-standby.started).Sub(crashed)
	standby.stop()
	<-standby.done
	<-active.done
	return gap
}

func failoverTable(t *testing.T, out io.Writer) {
	t.Helper()
	const crashes = 40
	s := startServer(t)
	fmt.Fprintf(out, "\n## Crash failover on the real API server: %d crashes each, 1 standby\n\n", crashes)
	fmt.Fprintln(out, "Connections cut -> the standby's work running. Beside it what bare writes took meanwhile.")
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| timing | | min | mean | max | bare write p50 | max |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|")
	met := true
	kept := s.samples("connections cut -> the standby's work running")
	for _, timing := range []timing{defaults(), frozenTiming()} {
		run := crashRun{leases: crashes, timing: timing}
		measure := func(e elector) spread {
			p := startProbe(t, s, fmt.Sprintf("probe-%s-%d", e.name, timing.LeaseDuration/time.Second))
			times := run.measure(t, s, e)
			writes := p.stop(t)
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s |\n", timing, e.name, seconds(times.min()), seconds(times.mean()),
				seconds(times.max()), seconds(writes.quantile(.5)), seconds(writes.max()))
			return times
		}
		our, theirs := measure(ours()), measure(peer())
		kept.Add(fmt.Sprintf("hotseat, %s", timing), our)
		kept.Add(fmt.Sprintf("client-go, %s", timing), theirs)
		beyond := func(s spread) time.Duration { return s.max() - timing.LeaseDuration }
		fmt.Fprintf(out, "| %s | crash: client-go / hotseat | %s | %s | %s | | |\n", timing,
			ratio(theirs.min(), our.min()), ratio(theirs.mean(), our.mean()), ratio(theirs.max(), our.max()))
		fmt.Fprintf(out, "| %s | max beyond LeaseDuration | | | hotseat %s, client-go %s | | |\n", timing, seconds(beyond(our)), seconds(beyond(theirs)))
		met = met && beyond(our) <= 500*time.Millisecond
	}
	bar(out, "hotseat max within LeaseDuration + 0.5 s", met)
	keep(t, kept, "crash")
}
