package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Handover in real time: the active replica is asked to stop, releases the
// Lease, and another one's work starts. As in a rolling update a fresh replica
// joins each time. Many Leases go at once, which a polling elector needs to be
// measured in reasonable time; all are measured in the same way, in turn, on one
// server.

// handoverRun is how much of it.
type handoverRun struct{ leases, rounds int }

// measure returns the times from each request to stop until the next replica's
// work runs. Names of Leases begin with prefix.
func (h handoverRun) measure(t *testing.T, at place, e elector, prefix string) spread {
	t.Helper()
	var all spread
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range h.leases {
		role := relay{e: e, at: at, lease: fmt.Sprintf("%s-%s-%d", prefix, e.name, i)}
		at.createLease(t, role.lease)
		wg.Go(func() {
			times := role.run(h.rounds)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
		})
	}
	wg.Wait()
	return newSpread(all)
}

// relay hands one Lease from replica to replica.
type relay struct {
	e     elector
	at    place
	lease string
}

func (r relay) run(rounds int) (times []time.Duration) {
	active := r.join("0")
	<-active.started
	for i := range rounds {
		next := r.join(fmt.Sprint(i + 1))
		// Anywhere between two polls of client-go's standby, 3.2 s apart on
		// average; the others' needs an instant to open its watch.
		time.Sleep(500*time.Millisecond + rand.N(3200*time.Millisecond))
		stopped := time.Now()
		active.stop()
		times = append(times, (<-next.started).Sub(stopped))
		<-active.done
		active = next
	}
	active.stop()
	<-active.done
	return times
}

// join starts a replica of the relay.
func (r relay) join(name string) *runner {
	return start(r.e, replica{
		config: r.at.account(r.lease + "." + name), lease: r.lease, identity: name, release: true,
	})
}

// runner is one replica in this process.
type runner struct {
	started chan time.Time // buffered; its work runs
	stop    context.CancelFunc
	link    *link
	done    chan struct{}
}

// start has r stand, with a link of its own, until it is stopped. r.work is set
// here.
func start(e elector, r replica) *runner {
	ctx, cancel := context.WithCancel(context.Background())
	run := &runner{started: make(chan time.Time, 1), stop: cancel, link: newLink(), done: make(chan struct{})}
	r.config = run.link.over(r.config)
	r.work = func(ctx context.Context, _ func() bool, _ int64) error {
		select {
		case run.started <- time.Now():
		case <-ctx.Done():
		}
		<-ctx.Done()
		return ctx.Err()
	}
	go func() {
		defer close(run.done)
		defer run.link.cut()
		if err := e.stand(ctx, r); err != nil {
			panic(fmt.Sprintf("%s: %s: %v", e.name, r.identity, err))
		}
	}()
	return run
}

// handovers are the times of the three that are compared.
type handovers struct{ floor, our, theirs spread }

// measure plays all three in turn, several times, so that a noisy minute of the
// machine does not fall on one of them alone.
func (h handoverRun) compare(t *testing.T, at place, turns int) (out handovers) {
	t.Helper()
	for i := range turns {
		turn := fmt.Sprintf("turn%d", i)
		out.floor = append(out.floor, h.measure(t, at, floor(), turn)...)
		out.our = append(out.our, h.measure(t, at, ours(), turn)...)
		out.theirs = append(out.theirs, h.measure(t, at, peer(), turn)...)
	}
	out.floor, out.our, out.theirs = newSpread(out.floor), newSpread(out.our), newSpread(out.theirs)
	return out
}

func (h handovers) print(out io.Writer) {
	fmt.Fprintln(out, "Stop asked for -> the next replica's work running. The floor is a bare write that releases, its watch event and a bare write that acquires.")
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| | p50 | p99 | max | mean |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	line := func(name string, s spread) {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", name, seconds(s.quantile(.5)), seconds(s.quantile(.99)), seconds(s.max()), seconds(s.mean()))
	}
	versus := func(name string, a, b spread) {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", name, ratio(a.quantile(.5), b.quantile(.5)),
			ratio(a.quantile(.99), b.quantile(.99)), ratio(a.max(), b.max()), ratio(a.mean(), b.mean()))
	}
	line("floor", h.floor)
	line("hotseat", h.our)
	line("client-go", h.theirs)
	versus("handover: hotseat / floor", h.our, h.floor)
	versus("handover: client-go / hotseat", h.theirs, h.our)
}

func handoverTable(t *testing.T, out io.Writer) {
	t.Helper()
	const turns = 2
	h := handoverRun{leases: 10, rounds: 10}
	fmt.Fprintf(out, "\n## Graceful handover on the real API server: 15/10/2 s, %d handovers each\n\n", turns*h.leases*h.rounds)
	at := startServer(t)
	all := h.compare(t, at, turns)
	all.print(out)
	kept := at.samples("stop asked for -> the next replica's work running, at 15/10/2 s")
	kept.Add("bare writes", all.floor)
	kept.Add("hotseat", all.our)
	kept.Add("client-go", all.theirs)
	keep(t, kept, "handover")
	bar(out, "hotseat p50 within 2 x the floor's", all.our.quantile(.5) <= 2*all.floor.quantile(.5))
	bar(out, "hotseat p99 within 250 ms", all.our.quantile(.99) <= 250*time.Millisecond)
}
