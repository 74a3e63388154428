package singleton_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// What is told, of what, and how often.

func logTo(log *lines) func(*singleton.Config) {
	return func(c *singleton.Config) { c.Logger = log.logger() }
}

// The API server's lists and its writes disagree, or something else writes the
// Lease all the time: nobody is at work, and that is told.
func TestContestedWritesAreTold(t *testing.T) {
	for i, verbs := range [][]string{{"update", "patch"}, {"patch"}} {
		t.Run(fmt.Sprint(verbs), func(t *testing.T) {
			someWay(t, i, func(w *world) {
				log := &lines{}
				heal := w.Link("a").Inject(apiserver.Fault{Verbs: verbs, Status: 409})
				w.start("a", logTo(log))
				sleep(10 * time.Minute)
				require.Empty(w, w.who())
				require.InDelta(w, 6, log.count("each attempt to acquire the Lease conflicts with another write"), 4)
				require.Positive(w, log.count("WARN"))
				require.LessOrEqual(w, log.count("\n"), 60)
				heal()
				require.LessOrEqual(w, w.nobodyFor(time.Minute), bound)
				require.Equal(w, 1, log.count("the Lease is no longer contested"))
			})
		})
	}
}

// One List of a standby fails; an hour later it takes over. That was no outage of
// an hour.
func TestOutageOfOneRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 403} {
		for _, verbs := range [][]string{{"list"}, {"get"}, {"list", "get"}} {
			someWay(t, own, func(w *world) {
				log := &lines{}
				_, a := w.replica("a", true)
				w.start("b", logTo(log))
				sleep(time.Minute)
				w.Link("a").BlackHole() // so that b has something to ask
				w.Link("b").Inject(apiserver.Fault{Verbs: verbs, Count: 1, Status: status})
				sleep(6500 * time.Millisecond)
				w.Link("a").Heal()
				sleep(10 * time.Minute)
				a.stop()
				sleep(w.drain + second)
				require.Equal(w, "b", w.who())
				require.Zero(w, log.count("after=10m"))
				require.Zero(w, log.count("for=10m"))
				require.LessOrEqual(w, log.count("WARN"), 1)
			})
		}
	}
}

// Renewals that fail are told when it begins and now and then.
func TestFailingRenewalsAreToldOnceInAWhile(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, status := range []int{409, 403, 429, 503, 500} {
		inWorld(t, func(w *world) {
			log := &lines{}
			w.start("a", logTo(log))
			sleep(time.Minute)
			outages := int(whole.Share(100, 25))
			for range outages { // that come and go, and never end the term
				heal := w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: status})
				sleep(6 * second)
				heal()
				sleep(6 * second)
			}
			require.Equal(w, []string{"a"}, w.started(), status)
			require.LessOrEqual(w, log.count("renewal failed"), outages+1, status)
		})
		inWorld(t, func(w *world) {
			log := &lines{}
			w.start("a", logTo(log))
			sleep(time.Minute)
			w.Link("a").Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Status: status})
			sleep(9 * second)
			require.Equal(w, 1, log.count("renewal failed"), status)
		})
	}
}

// Where writes fail and reads work, that is one outage, told as one.
func TestFailingWritesAreToldOnceInAWhile(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for name, test := range map[string]struct {
		fault apiserver.Fault
		edit  func(w *world)
	}{
		"acquiring refused": {apiserver.Fault{Verbs: []string{"patch", "update"}, Status: 403}, func(w *world) { w.Link("a").BlackHole() }},
		"acquiring fails":   {apiserver.Fault{Verbs: []string{"patch", "update"}, Status: 503}, func(w *world) { w.Link("a").BlackHole() }},
		"creating fails":    {apiserver.Fault{Verbs: []string{"create"}, Status: 503}, func(w *world) { w.Link("a").BlackHole(); w.DeleteLease("shop", "invoicer") }},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				log := &lines{}
				w.start("a")
				w.start("b", logTo(log))
				sleep(5 * second)
				heal := w.Link("b").Inject(test.fault)
				test.edit(w)
				sleep(10 * time.Minute)
				require.InDelta(w, 6, log.count("cannot write the Lease"), 4)
				require.Zero(w, log.count("reached the Lease again"))
				heal()
				sleep(time.Minute)
				require.Equal(w, 1, log.count("the Lease can be written again"))
				require.Equal(w, "b", w.who())
			})
		})
	}
}

// What nobody answers is told before the term is over.
func TestUnansweredRenewalsAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		log := &lines{}
		w.start("a", logTo(log))
		sleep(5 * second)
		w.Link("a").BlackHole()
		sleep(8 * second)
		require.Equal(w, []string{"a"}, w.started())
		require.Equal(w, 1, log.count("renewal failed, trying again"))
		require.Equal(w, 1, log.count("no answer for"))
	})
}

// Work that ignores its context's end after Resign keeps the Lease; it is told.
func TestStuckDrainOfHours(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for name, limit := range map[string]time.Duration{"the default": 0, "a minute": time.Minute} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var told atomic.Int64
				e := w.elector("a", func(c *singleton.Config) {
					c.Replica.DrainLimit = limit
					c.Hooks.OnOverrun = func(*singleton.Term) { told.Add(1) }
				})
				if limit == 0 {
					limit = 5 * time.Minute
				}
				stuck := make(chan struct{})
				w.run(e, func(context.Context, *singleton.Term) error { <-stuck; return nil })
				sleep(second)
				w.start("b")
				e.Resign()
				sleep(limit - second)
				require.NoError(w, e.Live())
				require.Zero(w, told.Load())
				sleep(2 * second)
				require.Error(w, e.Live())
				require.EqualValues(w, 1, told.Load())
				require.True(w, e.Status().Overrun)
				require.Equal(w, singleton.StateDraining, e.Status().State)
				require.InDelta(w, 1, metric(w, e, "hotseat_overruns_total"), 0)
				require.InDelta(w, 1, metric(w, e, "hotseat_overrun"), 0)
				sleep(time.Hour)
				require.EqualValues(w, 1, told.Load(), "once")
				require.Empty(w, w.who(), "the Lease is kept for it")
				close(stuck)
				sleep(second)
				require.NoError(w, e.Live())
				require.Equal(w, "b", w.who())
			})
		})
	}
}

// calls calls f once, when that message is logged.
type calls struct {
	slog.Handler
	message string
	f       func()
	once    *sync.Once
}

func (c calls) Handle(_ context.Context, r slog.Record) error {
	if r.Message == c.message {
		c.once.Do(c.f)
	}
	return nil
}
func (c calls) Enabled(context.Context, slog.Level) bool { return true }
func (c calls) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c calls) WithGroup(string) slog.Handler            { return c }

// "Resign ends the current term, or the one that is about to begin": at any time
// between the acquire and the term's publication.
func TestResignBetweenAcquireAndTerm(t *testing.T) {
	for name, set := range map[string]func(c *singleton.Config, resign func()){
		"when it is logged": func(c *singleton.Config, resign func()) {
			c.Logger = slog.New(calls{Handler: slog.DiscardHandler, message: "acquired", f: resign, once: &sync.Once{}})
		},
		"in the hook": func(c *singleton.Config, resign func()) {
			once := sync.Once{}
			c.Hooks.OnAcquire = func(context.Context, *singleton.Term) { once.Do(resign) }
		},
		"by the other hook": func(c *singleton.Config, resign func()) {
			once := sync.Once{}
			c.Hooks.OnHolder = func(h singleton.Holder) {
				if h.Self {
					once.Do(resign)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var e *singleton.Elector
				e = w.observe("a", func(c *singleton.Config) { set(c, func() { e.Resign() }) })
				e.SetEligible(true)
				synctest.Wait()
				w.start("b")
				sleep(time.Minute)
				require.Equal(w, "b", w.who(), "a was told to resign")
			})
		})
	}
}

// All resign at once, again and again: soon one is at work.
func TestAllResignAtOnce(t *testing.T) {
	someWay(t, sharedDrains, func(w *world) {
		var all []*singleton.Elector
		for _, who := range []string{"a", "b", "c"} {
			all = append(all, w.start(who))
		}
		sleep(5 * second)
		for range 3 {
			for _, e := range all {
				e.Resign()
			}
			sleep(10 * time.Millisecond)
		}
		require.LessOrEqual(w, w.nobodyFor(time.Minute), w.drain+5*second)
	})
}
