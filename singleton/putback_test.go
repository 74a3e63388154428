package singleton_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// An edit that puts the Lease back as standbys have seen it, over a term that they
// were not shown (kubectl replace, Argo CD with Replace=true, backups). A record
// that says what the last one did makes the same claim only if nothing can lie in
// between.

// backup is a state of the Lease that comes about with standbys looking on.
type backup struct {
	name  string
	state func(w *world) *coordv1.Lease
}

func (w *world) stored() *coordv1.Lease {
	synctest.Wait()
	return w.Lease("shop", "invoicer")
}

func backups() []backup {
	return []backup{
		{"as shipped", func(w *world) *coordv1.Lease { return w.stored() }},
		{"vacant", func(w *world) *coordv1.Lease {
			w.DeleteLease("shop", "invoicer")
			_, a := w.replica("a", true)
			sleep(second)
			a.stop()
			sleep(16 * second) // and waited out by all
			require.True(w, w.record().Vacant())
			return w.stored()
		}},
		{"held and run out", func(w *world) *coordv1.Lease {
			_, a := w.replica("a", true)
			sleep(5 * second)
			w.Link("a").Cut()
			a.stop()
			sleep(20 * second)
			require.NotEmpty(w, w.record().Holder())
			return w.stored()
		}},
		{"released", func(w *world) *coordv1.Lease {
			_, a := w.replica("a", true)
			sleep(3 * second)
			a.stop()
			sleep(w.drain + second)
			require.True(w, w.record().Released())
			return w.stored()
		}},
		{"released by client-go", func(w *world) *coordv1.Lease {
			stop := w.clientGo("a", true)
			sleep(3 * second)
			stop()
			sleep(second)
			require.Empty(w, w.record().Holder())
			require.False(w, w.record().AcquireTime().IsZero())
			return w.stored()
		}},
	}
}

// gap is how standbys are not shown a term.
type gap struct {
	name   string
	before func(w *world, who string) // it starts
	begin  func(w *world, who string)
	end    func(w *world, who string)
	lasts  time.Duration
}

func gaps() []gap {
	nothing := func(*world, string) {}
	heal := func(w *world, who string) { w.Link(who).Heal() }
	return []gap{
		{"cut", nothing, func(w *world, who string) { w.Link(who).Cut() }, heal, 5 * second},
		{"black hole", nothing, func(w *world, who string) { w.Link(who).BlackHole() }, heal, 5 * second},
		{"watch ended, frozen", nothing, func(w *world, who string) { w.Link(who).EndWatches(); w.Link(who).Freeze() }, heal, 5 * second},
		{"frozen", nothing, func(w *world, who string) { w.Link(who).Freeze() }, heal, 5 * second},
		{"polling", func(w *world, who string) { w.Forbid(who, "watch") }, func(w *world, who string) {
			for n := w.CountRequests(who, "list"); w.CountRequests(who, "list") == n; {
				sleep(10 * time.Millisecond)
			}
		}, nothing, second},
		{"polling, cut", func(w *world, who string) { w.Forbid(who, "watch") }, func(w *world, who string) { w.Link(who).Cut() }, heal, 20 * second},
	}
}

// putBackUnder has b work while the standbys are not shown it, is cut off, and has
// the Lease put back as they have seen it.
func putBackUnder(w *world, of backup, g gap, put func(*world, *coordv1.Lease), standbys ...string) []*singleton.Elector {
	var all []*singleton.Elector
	for _, d := range standbys {
		g.before(w, d)
		all = append(all, w.observe(d))
	}
	b := w.observe("b")
	sleep(3 * second)
	body := of.state(w)
	for _, d := range standbys {
		g.begin(w, d)
	}
	b.SetEligible(true)
	require.LessOrEqual(w, w.nobodyFor(20*second), 500*time.Millisecond, "b takes the Lease")
	sleep(g.lasts)
	require.True(w, w.on("b"))
	w.Link("b").BlackHole()
	put(w, body)
	return all
}

func TestReplacedWithTheManifest(t *testing.T) { putBackEach(t, backups()[0]) }
func TestVacantRecordPutBack(t *testing.T)     { putBackEach(t, backups()[1]) }
func TestHeldRecordPutBack(t *testing.T)       { putBackEach(t, backups()[2]) }
func TestReleasedRecordPutBack(t *testing.T)   { putBackEach(t, backups()[3]) }
func TestClientGosReleasePutBack(t *testing.T) { putBackEach(t, backups()[4]) }

func putBackEach(t *testing.T, of backup) {
	t.Parallel()
	puts := map[string]func(*world, *coordv1.Lease){"replace": (*world).putBack, "delete and create": func(w *world, body *coordv1.Lease) { w.shipAnew(body) }}
	for i, g := range gaps() {
		for j, name := range slices.Sorted(maps.Keys(puts)) {
			put := puts[name]
			for _, standbys := range [][]string{{"d"}, {"d", "e"}} {
				way := everyWay
				if len(standbys) > 1 {
					way = func(t *testing.T, f func(w *world)) { someWay(t, i+2*j, f) }
				}
				t.Run(name+"/"+g.name+"/"+standbys[len(standbys)-1], func(t *testing.T) {
					way(t, func(w *world) {
						for i, e := range putBackUnder(w, of, g, put, standbys...) {
							e.SetEligible(true)
							g.end(w, standbys[i])
						}
						sleep(35 * second)
						require.NotEmpty(w, w.who(), "somebody is at work in the end")
						require.NotEqual(w, "b", w.who())
					})
				})
			}
		}
		for j, name := range slices.Sorted(maps.Keys(puts)) {
			put := puts[name]
			if of.name == "as shipped" && name != "replace" {
				continue // an exception; see TestShippedAnewBesideANewProcess
			}
			t.Run("new process/"+name+"/"+g.name, func(t *testing.T) {
				someWay(t, i+2*j+1, func(w *world) {
					putBackUnder(w, of, g, put, "d")
					w.start("n")
					sleep(35 * second)
					require.Equal(w, "n", w.who())
				})
			})
		}
	}
}

// The exception: a Lease that was deleted and shipped anew says that nobody ever
// held it, and who never saw it held cannot know better.
func TestShippedAnewBesideANewProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a")
		sleep(5 * second)
		w.Link("a").BlackHole()
		w.shipAnew(newLease())
		w.start("n")
		require.True(w, w.on("n"))
		require.NotEmpty(w, w.overlaps)
		w.forget()
		token, _ := lease.NewRecord(w.stored()).Token()
		sleep(20 * second)
		require.Equal(w, []string{"a", "n"}, w.started())
		require.Greater(w, token.Epoch, int64(1), "guards refuse the one before")
	})
}
