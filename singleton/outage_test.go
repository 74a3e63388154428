package singleton_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/singleton"
)

// An API server that cannot be reached is said at once and now and then, not
// for every request; and so is its coming back.
func TestOutageIsSaidOnceInAWhile(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for name, fault := range map[string]apiserver.Fault{"503": {Status: 503}, "401": {Status: 401}, "cut": {LoseRequest: true}} {
		t.Run(name+" from the start", func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
				heal := l.Link("a").Inject(fault)
				l.run(e, idle)
				sleep(2600 * time.Millisecond)
				if name == "cut" {
					sleep(7500 * time.Millisecond) // client-go tries a broken connection again until our deadline
				}
				require.Equal(l, 1, log.count("cannot reach the Lease"), "at once")
				if name == "401" {
					require.Positive(l, log.count("credentials refused"))
				}
				require.ErrorContains(l, e.Ready(), "has not been read yet")
				sleep(10 * time.Minute)
				require.InDelta(l, 7, log.count("cannot reach the Lease"), 2)
				heal()
				sleep(3 * second) // credentials are tried again more slowly
				require.NoError(l, e.Ready())
				require.Equal(l, 1, log.count("reached the Lease again"))
			})
		})
		t.Run(name+" later", func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
				l.run(e, idle)
				sleep(5 * second)
				l.Link("a").Inject(fault)
				l.Link("a").EndWatches()
				sleep(10 * time.Minute)
				require.LessOrEqual(l, log.count("cannot reach the Lease"), 20)
				require.LessOrEqual(l, log.count("level=WARN"), 40)
				require.NoError(l, e.Ready(), "an outage later makes nobody unready")
			})
		})
	}
}

// That a watch works again is told while it works, not when it ends.
func TestWatchThatWorksAgainIsToldAtOnce(t *testing.T) {
	for _, shared := range []bool{false, true} {
		inWorld(t, func(w *world) {
			log := &lines{}
			w.start("a")
			sleep(second)
			w.start("b", logTo(log), func(c *singleton.Config) {
				if shared {
					c.Replica.SharedWatch = singleton.NewSharedWatch(w.client("b"), "shop", c.Logger)
				}
			})
			sleep(10 * second)
			mend := w.Link("b").Inject(apiserver.Fault{Verbs: []string{"watch"}, Status: 500})
			w.Link("b").EndWatches()
			sleep(10 * second)
			require.Positive(w, log.count("cannot watch"))
			require.Zero(w, log.count("works again"))
			mend()
			sleep(10 * second)
			require.Equal(w, 1, log.count("works again"), "shared: %v", shared)
			sleep(time.Minute)
			require.Equal(w, 1, log.count("works again"), "shared: %v", shared)
		})
	}
}
