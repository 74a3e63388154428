package singleton_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// A server that answers slowly is no fault: what client-go's elector survives at the
// same timings (15, 10 and 2 s), ours does.

func delayed(before, after time.Duration, verbs ...string) apiserver.Fault {
	return apiserver.Fault{Verbs: verbs, DelayBefore: before, DelayAfter: after}
}

// availability is how a fleet fared: a row of a table.
type availability struct {
	name      string
	one, more time.Duration
	of        time.Duration
	terms     int
}

func (a availability) share() float64 { return float64(a.one) / float64(a.of) * 100 }

func (a availability) String() string {
	return fmt.Sprintf("%-34s one at work %6.2f %%, two %v, terms %d", a.name, a.share(), a.more, a.terms)
}

// bothElectors measures hotseat's electors, and client-go's beside, a and b, after
// prepare.
func bothElectors(t *testing.T, name string, lasts time.Duration, prepare func(w *world)) (ours, theirs availability) {
	measure := func(who string, start func(w *world, who string)) availability {
		out := availability{name: who + ", " + name, of: lasts}
		playWorld(t, func(*world) {}, func(w *world) {
			prepare(w)
			start(w, "a")
			start(w, "b")
			w.times()
			sleep(lasts)
			_, out.one, out.more = w.times()
			out.terms = len(w.started())
			w.forget() // theirs is only shown
		})
		return out
	}
	ours = measure("hotseat", func(w *world, who string) { w.start(who) })
	theirs = measure("client-go", func(w *world, who string) { w.clientGo(who, false) })
	return ours, theirs
}

func table(rows []availability) string {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString("\n" + row.String())
	}
	return b.String()
}

func TestSlowWrites(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	var rows []availability
	for _, takes := range []time.Duration{second, 2 * second, 3 * second, 4 * second, 6 * second} {
		for name, fault := range map[string]apiserver.Fault{
			"before": delayed(takes, 0, "update", "patch", "create"),
			"after":  delayed(0, takes, "update", "patch", "create"),
			"both":   delayed(takes/2, takes/2, "update", "patch", "create"),
		} {
			if spared(t) {
				continue
			}
			const lasts = 10 * time.Minute
			ours, theirs := bothElectors(t, fmt.Sprintf("writes of %v, %s", takes, name), lasts, func(w *world) {
				w.Link("a").Inject(fault)
				w.Link("b").Inject(fault)
			})
			rows = append(rows, ours, theirs)
			require.GreaterOrEqual(t, ours.share(), 97.0, ours)
			require.Equal(t, 1, ours.terms, ours)
			require.Zero(t, ours.more, ours)
			require.GreaterOrEqual(t, ours.one, theirs.one-takes-second, "%v %v", ours, theirs)
		}
	}
	t.Log(table(rows))
}

// A wire that takes most of RenewDeadline, more or less. A first term may be lost to
// learn that.
func TestSlowWire(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	var rows []availability
	for _, takes := range []time.Duration{7400 * time.Millisecond, 8500 * time.Millisecond} {
		for _, less := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond} {
			if spared(t) {
				continue
			}
			ours, theirs := bothElectors(t, fmt.Sprintf("writes of %v, up to %v less", takes, less), 10*time.Minute, func(w *world) {
				r := rand.New(rand.NewPCG(1, uint64(takes)))
				for _, who := range []string{"a", "b"} {
					for range 1500 {
						w.Link(who).Inject(apiserver.Fault{
							Verbs: []string{"patch", "update"}, Count: 1, DelayBefore: takes - time.Duration(r.Int64N(int64(less))),
						})
					}
				}
			})
			rows = append(rows, ours, theirs)
			require.LessOrEqual(t, ours.terms, 2, ours)
			require.GreaterOrEqual(t, ours.share(), 92.0, ours)
			require.Zero(t, ours.more, ours)
		}
	}
	t.Log(table(rows))
}

// An API server under load: each request takes between nothing and most, evenly.
func TestUnevenlySlowAPIServer(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	lasts := time.Hour
	if !whole.Run() {
		lasts = 20 * time.Minute
	}
	var rows []availability
	for _, most := range []time.Duration{3 * second, 4 * second, 6 * second} {
		ours, theirs := bothElectors(t, fmt.Sprintf("each 0..%v", most), lasts, func(w *world) {
			r := rand.New(rand.NewPCG(1, uint64(most)))
			for _, who := range []string{"a", "b"} {
				for range 4000 {
					w.Link(who).Inject(apiserver.Fault{Verbs: []string{"get", "list", "update", "patch", "create"}, Count: 1, DelayBefore: time.Duration(r.Int64N(int64(most)))})
				}
			}
		})
		rows = append(rows, ours, theirs)
		require.GreaterOrEqual(t, ours.share(), 99.0, ours)
		require.Equal(t, 1, ours.terms, ours)
		require.Zero(t, ours.more, ours)
	}
	t.Log(table(rows))
}

// A standby takes over from a crashed holder through a slow server, and keeps it.
func TestTakeoverOnASlowServer(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, takes := range []time.Duration{3 * second, 6 * second} {
		for _, verbs := range [][]string{{"update", "patch"}, {"get", "list", "update", "patch"}} {
			someWay(t, own, func(w *world) {
				for _, who := range []string{"a", "b", "c"} {
					w.Link(who).Inject(delayed(takes, 0, verbs...))
					w.start(who)
				}
				sleep(2 * time.Minute)
				first := w.who()
				require.NotEmpty(w, first)
				w.Link(first).BlackHole()
				sleep(10*second + w.drain + 10*time.Millisecond)
				require.Empty(w, w.who())
				require.LessOrEqual(w, w.nobodyFor(time.Minute), 8*second+3*takes)
				n := len(w.started())
				sleep(10 * time.Minute)
				require.Len(w, w.started(), n, "and keeps it")
			})
		}
	}
}

func TestSlowWritesWithLongerTimings(t *testing.T) {
	inWorld(t, func(w *world) {
		longer := func(c *singleton.Config) { c.Timing.LeaseDuration, c.Timing.RenewDeadline = 25*second, 16*second }
		for _, who := range []string{"a", "b"} {
			w.Link(who).Inject(delayed(3*second, 0, "update", "patch"))
			w.start(who, longer)
		}
		sleep(10 * time.Minute)
		require.Len(w, w.started(), 1)
		require.Equal(w, w.started()[0], w.who())
	})
}
