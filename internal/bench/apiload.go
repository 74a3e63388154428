package main

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// What a Lease's replicas ask of a real API server when nothing happens: counted
// in its audit log, in its count of writes to etcd, and on the wire.

// load is what an API server is asked per second.
type load struct{ writes, reads, watches float64 }

func (l load) all() float64 { return l.writes + l.reads + l.watches }

// apiLoad is rates per second.
type apiLoad struct {
	load
	served         // of any Lease; the server renews one of its own
	wire   float64 // bytes, both ways, TLS included
}

// apiLoadOf measures n replicas of one Lease over the window; with none, what the
// server does by itself.
func apiLoadOf(t *testing.T, s *server, e elector, n int, window time.Duration) apiLoad {
	t.Helper()
	lease := fmt.Sprintf("load-%s-%d", e.name, n)
	s.createLease(t, lease)
	var runners []*runner
	for i := range n {
		name := fmt.Sprintf("n%d", i)
		runners = append(runners, start(e, replica{config: s.account(lease + "." + name), lease: lease, identity: name}))
	}
	defer func() {
		for _, r := range runners {
			r.stop()
		}
		for _, r := range runners {
			<-r.done
		}
	}()
	time.Sleep(3*defaults().RetryPeriod + time.Second) // all have joined
	total := func() (sum int64) {
		for _, r := range runners {
			sum += r.link.bytes()
		}
		return sum
	}
	began, before, wire := time.Now(), s.served(t), total()
	time.Sleep(window)
	ended, after, wireThen := time.Now(), s.served(t), total()
	took := ended.Sub(began)
	return apiLoad{
		load:   s.requests(t).within(began, ended).load(took),
		served: served{etcd: (after.etcd - before.etcd) / took.Seconds(), bytes: (after.bytes - before.bytes) / took.Seconds()},
		wire:   float64(wireThen-wire) / took.Seconds(),
	}
}

func loadTable(t *testing.T, out io.Writer) {
	t.Helper()
	const window = 40 * time.Second
	s := startServer(t)
	fmt.Fprintf(out, "\n## Requests per second at the real API server, steady state: 15/10/2 s, %s each\n\n", window)
	fmt.Fprintln(out, "Requests from its audit log. Two kinds of kB/s: on the wire, both ways, TLS included; and by its metrics, which count the bodies of reads and of watch events alone. Writes of Leases to etcd from its metrics too. Its own Lease is in its metrics (first line).")
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| replicas | client-go: requests, kB/s on the wire, by its metrics, etcd writes | hotseat: the same | hotseat: writes + reads + watches opened | ratio of requests | of bytes on the wire |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	tell := func(l apiLoad) string {
		return fmt.Sprintf("%.2f, %.2f, %.2f, %.2f", l.all(), l.wire/1000, l.bytes/1000, l.etcd)
	}
	idle := apiLoadOf(t, s, floor(), 0, window)
	fmt.Fprintf(out, "| 0 | %s | | | | |\n", tell(idle))
	var reads, writes float64
	for _, n := range []int{3, 20, 100} {
		our, theirs := apiLoadOf(t, s, ours(), n, window), apiLoadOf(t, s, peer(), n, window)
		fmt.Fprintf(out, "| load, N = %d | %s | %s | %.2f + %.2f + %.2f | %s | %s |\n", n, tell(theirs), tell(our),
			our.writes, our.reads, our.watches, ratio(theirs.all(), our.all()), ratio(theirs.wire, our.wire))
		writes, reads = max(writes, our.writes), max(reads, our.reads)
	}
	// A window may hold one renewal more than its share.
	bar(out, "at most 0.5 writes/s", writes <= 0.5+1/window.Seconds())
	bar(out, "no polling by standbys", reads == 0)
}
