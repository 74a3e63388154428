package main

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// A handover that many standbys wait for: all of them try, one wins.

// herd is n replicas of one Lease. One that was stopped joins again.
type herd struct {
	t       *testing.T
	s       *server
	e       elector
	lease   string
	members []*runner
}

func newHerd(t *testing.T, s *server, e elector, n int) *herd {
	t.Helper()
	h := &herd{t: t, s: s, e: e, lease: fmt.Sprintf("herd-%s-%d", e.name, n)}
	s.createLease(t, h.lease)
	for i := range n {
		h.members = append(h.members, h.join(i))
	}
	return h
}

func (h *herd) join(i int) *runner {
	name := fmt.Sprintf("n%d", i)
	return start(h.e, replica{config: h.s.account(name), lease: h.lease, identity: name, release: true})
}

func (h *herd) stop() {
	for _, m := range h.members {
		m.stop()
	}
	for _, m := range h.members {
		<-m.done
	}
}

// next waits until a member's work runs.
func (h *herd) next() (member int, at time.Time) {
	h.t.Helper()
	for range 60_000 {
		for i, m := range h.members {
			select {
			case at := <-m.started:
				return i, at
			default:
			}
		}
		time.Sleep(time.Millisecond)
	}
	h.t.Fatalf("%s: nobody took over", h.e.name)
	return 0, time.Time{}
}

// stampede is what a herd's handovers were like.
type stampede struct {
	times     spread // stop asked for -> the next one's work
	conflicts int    // writes that came too late, over all rounds
	lists     int    // reads that followed
	settled   spread // stop asked for -> the last request about it was answered
}

const (
	calm   = time.Second             // before each handover
	settle = 1500 * time.Millisecond // in which what a handover causes is counted; less than a RetryPeriod
)

func (h *herd) stampede(rounds int) (out stampede) {
	h.t.Helper()
	active, _ := h.next()
	time.Sleep(3 * time.Second) // all have joined
	type window struct{ from, to time.Time }
	var windows []window
	for range rounds {
		time.Sleep(calm)
		stopped := time.Now()
		h.members[active].stop()
		next, at := h.next()
		out.times = append(out.times, at.Sub(stopped))
		time.Sleep(time.Until(at.Add(settle)))
		windows = append(windows, window{stopped, time.Now()})
		<-h.members[active].done
		h.members[active] = h.join(active)
		active = next
	}
	all := h.s.requests(h.t)
	for _, w := range windows {
		about := all.within(w.from, w.to).where(func(r request) bool { return r.conflict() || r.read() })
		out.conflicts += about.count(request.conflict)
		out.lists += about.count(request.read)
		last := w.from
		for _, r := range about {
			last = slices.MaxFunc([]time.Time{last, r.ended}, time.Time.Compare)
		}
		out.settled = append(out.settled, last.Sub(w.from))
	}
	out.times, out.settled = newSpread(out.times), newSpread(out.settled)
	return out
}

func stampedeOf(t *testing.T, s *server, e elector, n, rounds int) stampede {
	t.Helper()
	h := newHerd(t, s, e, n)
	defer h.stop()
	return h.stampede(rounds)
}

func realHerdTable(t *testing.T, out io.Writer) {
	t.Helper()
	const rounds = 20
	s := startServer(t)
	fmt.Fprintf(out, "\n## One handover, many standbys, on the real API server: 15/10/2 s, %d handovers each\n\n", rounds)
	fmt.Fprintln(out, "Conflicts and reads per handover, from the audit log; settled: stop asked for -> the last of them answered. client-go's standbys read all the time.")
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| | replicas | p50 | max | conflicts | reads | settled p50 | settled max |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|")
	few := map[string]stampede{}
	many := map[string]stampede{}
	for _, e := range []elector{ours(), peer()} {
		for n, in := range map[int]map[string]stampede{3: few, 100: many} {
			got := stampedeOf(t, s, e, n, rounds)
			in[e.name] = got
			settledMedian, settledMax := "-", "-"
			if e.name == ours().name {
				settledMedian, settledMax = seconds(got.settled.quantile(.5)), seconds(got.settled.max())
			}
			fmt.Fprintf(out, "| %s | %d | %s | %s | %.1f | %.1f | %s | %s |\n", e.name, n,
				seconds(got.times.quantile(.5)), seconds(got.times.max()),
				float64(got.conflicts)/rounds, float64(got.lists)/rounds, settledMedian, settledMax)
		}
	}
	our, crowd := few[ours().name], many[ours().name]
	fmt.Fprintf(out, "| herd: hotseat, 100 replicas / 3 | | %s | %s | | | | |\n",
		ratio(crowd.times.quantile(.5), our.times.quantile(.5)), ratio(crowd.times.max(), our.times.max()))
	bar(out, "hotseat p50 with 100 replicas within 3 x that with 3", crowd.times.quantile(.5) <= 3*our.times.quantile(.5))
}
