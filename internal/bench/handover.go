package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Handover in real time over loopback sockets: the active replica is asked to
// stop, releases the Lease, and another one's work starts. As in a rolling
// update a fresh replica joins each time. Many Leases go at once, which a
// polling elector needs to be measured in reasonable time; both are measured in
// the same way, one after the other, on one server.

// handoverRun is how much of it.
type handoverRun struct{ leases, rounds int }

// measure returns the times from the commit of each release, which comes
// before its acknowledgement, until the next replica's work runs.
func (h handoverRun) measure(t *testing.T, c *singletontest.Cluster, e elector) spread {
	t.Helper()
	url, err := c.Listen()
	if err != nil {
		t.Fatal(err)
	}
	releases := &releaseTimes{at: map[string]time.Time{}}
	c.OnWrite(releases.observe)
	var all spread
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range h.leases {
		role := relay{e: e, url: url, lease: fmt.Sprintf("%s-%d", e.name, i), releases: releases}
		createLease(t, c, role.lease)
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

// releaseTimes has when each Lease was last released.
type releaseTimes struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (r *releaseTimes) observe(w singletontest.Write) {
	before, after := w.Leases()
	if holder(before) == "" || after == nil || holder(after) != "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[after.Name] = time.Now()
}

func (r *releaseTimes) of(lease string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[lease]
}

// relay hands one Lease from replica to replica.
type relay struct {
	e          elector
	url, lease string
	releases   *releaseTimes
}

func (r relay) run(rounds int) (times []time.Duration) {
	active := r.join("0")
	<-active.started
	for i := range rounds {
		next := r.join(fmt.Sprint(i + 1))
		// Anywhere between two polls of client-go's standby, 3.2 s apart on
		// average; hotseat's needs an instant to open its watch.
		time.Sleep(100*time.Millisecond + rand.N(3200*time.Millisecond))
		active.stop()
		times = append(times, (<-next.started).Sub(r.releases.of(r.lease)))
		<-active.done
		active = next
	}
	active.stop()
	<-active.done
	return times
}

// runner is one replica of a relay.
type runner struct {
	started chan time.Time // buffered; its work runs
	stop    context.CancelFunc
	done    chan struct{}
}

func (r relay) join(name string) *runner {
	ctx, cancel := context.WithCancel(context.Background())
	run := &runner{started: make(chan time.Time, 1), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(run.done)
		connections := &http.Transport{} // replicas are processes: they share none
		defer connections.CloseIdleConnections()
		err := r.e.stand(ctx, replica{
			config: &rest.Config{Host: r.url, BearerToken: r.lease + "." + name, QPS: -1, Transport: connections},
			lease:  r.lease, identity: name, release: true,
			work: func(ctx context.Context, _ func() bool, _ int64) error {
				run.started <- time.Now()
				<-ctx.Done()
				return ctx.Err()
			},
		})
		if err != nil {
			panic(err)
		}
	}()
	return run
}

func handoverTable(t *testing.T, out io.Writer) {
	t.Helper()
	c := singletontest.New(singletontest.Options{})
	defer c.Close()
	h := handoverRun{leases: 25, rounds: 4}
	our, theirs := h.measure(t, c, ours()), h.measure(t, c, peer())
	fmt.Fprintf(out, "\n## Graceful handover: 15/10/2 s, loopback HTTP, real time, %d handovers each\n\n", h.leases*h.rounds)
	fmt.Fprintln(out, "Release committed -> the next replica's work running.")
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| | p50 | p99 | max |")
	fmt.Fprintln(out, "|---|---|---|---|")
	for _, line := range []struct {
		name  string
		times spread
	}{{"client-go", theirs}, {"hotseat", our}} {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", line.name,
			seconds(line.times.quantile(.5)), seconds(line.times.quantile(.99)), seconds(line.times.max()))
	}
	fmt.Fprintf(out, "| ratio | %s | %s | %s |\n", ratio(theirs.quantile(.5), our.quantile(.5)),
		ratio(theirs.quantile(.99), our.quantile(.99)), ratio(theirs.max(), our.max()))
}
