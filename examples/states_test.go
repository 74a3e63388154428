package examples

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// arrows are from one state of an elector to the next.
type arrows struct {
	mu   sync.Mutex
	seen map[string]bool
}

// moment is how long each state of the stories lasts at least, and several times as long as
// anything looks at it.
const moment = 20 * time.Millisecond

// watch looks at an elector's state until ctx ends. At first it was last.
func (a *arrows) watch(ctx context.Context, e *singleton.Elector, last singleton.State) {
	for ctx.Err() == nil {
		time.Sleep(moment / 10)
		if now := e.Status().State; now != last {
			a.mu.Lock()
			a.seen[last.String()+" --> "+now.String()] = true
			a.mu.Unlock()
			last = now
		}
	}
}

// scene is a cluster whose requests take a moment, so that no state is too short to be seen.
type scene struct {
	*arrows
	latency time.Duration // of a request
	t       *testing.T
	cluster *singletontest.Cluster
}

// run runs a replica until it is stopped. Then stop returns how Run ended.
func (s scene) run(name string, config singleton.Config, work singleton.Work) (stop func() error) {
	stop, _ = s.start(name, config, work)
	return stop
}

// start is run, and also returns the elector.
func (s scene) start(
	name string, config singleton.Config, work singleton.Work,
) (stop func() error, e *singleton.Elector) {
	s.cluster.Link(name).Inject(singletontest.Fault{DelayBefore: s.latency})
	config.Namespace, config.Name, config.Logger = "shop", "invoicer", quiet()
	config.Replica.Identity = name
	e, err := singleton.New(s.cluster.Client(name), config)
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	watching, watched := context.WithCancel(context.Background())
	var all sync.WaitGroup
	first := e.Status().State
	all.Go(func() { s.watch(watching, e, first) })
	var ended error
	all.Go(func() {
		defer watched()
		ended = e.Run(ctx, work)
		time.Sleep(moment)
	})
	stop = sync.OnceValue(func() error { cancel(); all.Wait(); return ended })
	s.t.Cleanup(func() {
		time.Sleep(time.Second) // whoever acquires the Lease now is active before it is stopped
		_ = stop()
	})
	return stop, e
}

// drains returns a moment after its context ended.
func drains(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	time.Sleep(moment)
	return nil
}

func stateStories() map[string]func(s scene) {
	warm := func(err error) singleton.Config {
		return singleton.Config{Replica: singleton.ReplicaConfig{
			WarmUp: func(context.Context) error { time.Sleep(moment); return err },
		}}
	}
	return map[string]func(s scene){
		"from warm-up to the end": func(s scene) {
			stop := s.run("a", warm(nil), drains)
			time.Sleep(time.Second)
			require.NoError(s.t, stop())
		},
		"warm-up fails": func(s scene) {
			broken := errors.New("broken")
			stop := s.run("a", warm(broken), drains)
			time.Sleep(time.Second)
			require.ErrorIs(s.t, stop(), broken)
		},
		"a term is lost, and the replica stands by again": func(s scene) {
			stop := s.run("a", singleton.Config{}, drains)
			time.Sleep(time.Second)
			s.cluster.Link("a").BlackHole()
			time.Sleep(15 * time.Second)
			require.NoError(s.t, stop(), "it is a standby")
		},
		"another replica is faster": func(s scene) {
			first := s.run("a", singleton.Config{}, drains)
			time.Sleep(time.Second)
			s.run("b", singleton.Config{}, drains)
			s.run("c", singleton.Config{}, drains)
			time.Sleep(time.Second)
			require.NoError(s.t, first())
			time.Sleep(time.Second)
		},
		"Run's context ends in an acquire": func(s scene) {
			s.latency = time.Second
			stop, e := s.start("a", singleton.Config{}, drains)
			for e.Status().State != singleton.StateAcquiring {
				time.Sleep(moment)
			}
			s.cluster.Link("a").BlackHole() // else it becomes active, for no time
			require.NoError(s.t, stop())
		},
		"work returns by itself": func(s scene) {
			stop := s.run("a", singleton.Config{}, func(context.Context, *singleton.Term) error {
				time.Sleep(moment)
				return nil
			})
			time.Sleep(time.Second)
			require.NoError(s.t, stop())
		},
	}
}

// The guide's diagram of states has the arrows that electors take, and no other.
func TestStatesInTheDocs(t *testing.T) {
	var drawn []string
	for _, b := range parsePage(t, "internal/docs/guide/how-it-works.md").blocks {
		if b.language == "mermaid" {
			drawn = append(drawn, regexp.MustCompile(`[a-z]+ --> [a-z]+`).FindAllString(b.text, -1)...)
		}
	}
	a := &arrows{seen: map[string]bool{}}
	for name, play := range stateStories() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
				t.Cleanup(c.Close)
				play(scene{a, moment, t, c})
			})
		})
	}
	var taken []string
	for arrow := range a.seen {
		taken = append(taken, arrow)
	}
	require.ElementsMatch(t, drawn, taken)
}
